"""The packet sockets of one NIC in IPv6: heartbeats and neighbour discovery, and what of IPv6 is left alone."""

from dataclasses import replace

import pytest
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_RA, IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from vipa import frames, frames6
from vipa.election.events import ArpKind, ArpSeen, BeatReceived
from vipa_agent.wire import Dropped, NicSocket, Sent
from vipa_lab.wire_rig import MAC_A, MAC_B, PORT, Wire, after_marker, gather

A6, B6, VIP6 = "fd00:1::a", "fd00:1::b", "fd00:1::7"
OTHER_MAC = "52:54:00:00:00:0c"


def open_b(wire: Wire) -> NicSocket:
    """B's sockets, which know that B has an IPv6 address too."""
    b = wire.open_b()
    b.nic = replace(b.nic, addresses=(*b.nic.addresses, B6))
    return b


def frame(layers: Packet, mac: str = MAC_B, **ip_fields: object) -> bytes:
    return bytes(Ether(src=MAC_A, dst=mac) / IPv6(**{"src": A6, "dst": B6, "hlim": 255, **ip_fields}) / layers)


def beat(port: int = PORT) -> Packet:
    return UDP(sport=port, dport=port) / Raw(b"x")


def test_a_beat_arrives_with_its_sender(wire: Wire) -> None:
    a, b = wire.open_a(), open_b(wire)
    assert a.send_beat(A6, B6, MAC_B, b"to you") is Sent.SENT
    assert a.send_beat(A6, B6, "", b"to everyone") is Sent.SENT
    assert gather(b, 2) == [
        BeatReceived("eth1", A6, MAC_A, b"to you"),
        BeatReceived("eth1", A6, MAC_A, b"to everyone"),
    ]
    assert a.drain(a.filenos()) == [], "what A sent itself must not come back to it"
    assert not +b.dropped


def test_questions_and_announcements_are_seen(wire: Wire) -> None:
    a, b = wire.open_a(), open_b(wire)
    assert a.probe(VIP6, A6) is Sent.SENT
    assert a.probe(VIP6, A6, MAC_B) is Sent.SENT
    assert a.probe(VIP6, frames6.UNSPECIFIED) is Sent.SENT
    assert a.announce(VIP6) == (Sent.SENT,)
    question = ArpSeen("eth1", ArpKind.REQUEST, MAC_A, A6, VIP6)
    assert gather(b, 4) == [
        question,
        question,
        ArpSeen("eth1", ArpKind.REQUEST, MAC_A, frames6.UNSPECIFIED, VIP6),
        ArpSeen("eth1", ArpKind.REPLY, MAC_A, VIP6, frames6.ALL_NODES),
    ]
    assert not +b.dropped


def test_others_traffic_is_left_alone(wire: Wire) -> None:
    b, raw = open_b(wire), wire.raw_a()
    raw.send(frame(beat(PORT + 1)))
    raw.send(frame(beat(), OTHER_MAC))
    raw.send(frame(TCP(dport=PORT)))
    raw.send(frame(ICMPv6EchoRequest()))
    raw.send(frame(ICMPv6ND_RA(), "33:33:00:00:00:01"))
    raw.send(frame(ICMPv6ND_NA(tgt=VIP6), OTHER_MAC))
    raw.send(frame(IPv6ExtHdrHopByHop() / beat()))
    assert after_marker(b, raw) == []
    assert not +b.dropped


@pytest.mark.parametrize("layers", [beat(), ICMPv6ND_NA(tgt=VIP6)], ids=["beat", "advertisement"])
def test_what_a_router_passed_on_is_counted(wire: Wire, layers: Packet) -> None:
    b, raw = open_b(wire), wire.raw_a()
    raw.send(frame(layers, hlim=254))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.FORWARDED: 1}


def test_what_is_not_for_us_tagged_or_malformed_is_counted(wire: Wire) -> None:
    b, raw = open_b(wire), wire.raw_a()
    raw.send(frame(beat(), frames.BROADCAST_MAC, dst="fd00:1::c"))
    raw.send(frame(beat())[:12] + bytes(Ether() / Dot1Q(vlan=5))[12:16] + frame(beat())[12:])
    raw.send(frame(ICMPv6ND_NA(tgt=VIP6), plen=8))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.NOT_FOR_US: 1, Dropped.TAGGED: 1, Dropped.MALFORMED: 1}
