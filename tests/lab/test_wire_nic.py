"""Sending and receiving by the packet sockets of one NIC, on a real veth pair."""

import os
import socket
import sys

from vipa.election.events import ArpKind, ArpSeen, BeatReceived
from vipa_agent.wire import Dropped, Sent
from vipa_agent.wire.nic import DRAIN_MAX
from vipa_lab.nftables import run_nft
from vipa_lab.until import until
from vipa_lab.wire_rig import IP_A, IP_B, MAC_A, MAC_B, Wire, gather
from vipa_lab.within import inside


def test_a_beat_arrives_with_its_sender(wire: Wire) -> None:
    a, b = wire.open_a(), wire.open_b()
    assert a.send_beat(IP_A, IP_B, MAC_B, b"to you") is Sent.SENT
    assert a.send_beat(IP_A, IP_B, "", b"to everyone") is Sent.SENT
    assert gather(b, 2) == [
        BeatReceived("eth1", IP_A, MAC_A, b"to you"),
        BeatReceived("eth1", IP_A, MAC_A, b"to everyone"),
    ]
    assert a.drain(a.filenos()) == [], "what A sent itself must not come back to it"
    assert not +b.dropped


def test_probes_and_announcements_are_seen(wire: Wire) -> None:
    a, b = wire.open_a(), wire.open_b()
    assert a.probe("10.1.1.7", IP_A) is Sent.SENT
    assert a.probe("10.1.1.7", IP_A, MAC_B) is Sent.SENT
    assert a.announce("10.1.1.7") == (Sent.SENT, Sent.SENT)
    probe = ArpSeen("eth1", ArpKind.REQUEST, MAC_A, IP_A, "10.1.1.7")
    assert gather(b, 4) == [
        probe,
        probe,
        ArpSeen("eth1", ArpKind.REQUEST, MAC_A, "10.1.1.7", "10.1.1.7"),
        ArpSeen("eth1", ArpKind.REPLY, MAC_A, "10.1.1.7", "10.1.1.7"),
    ]
    assert a.drain(a.filenos()) == []


def test_the_kernel_answers_a_probe_for_its_own_address(wire: Wire) -> None:
    a = wire.open_a()
    a.probe(IP_B, IP_A)
    assert gather(a, 1) == [ArpSeen("eth1", ArpKind.REPLY, MAC_B, IP_B, IP_A)]


def test_drain_is_bounded_and_loses_nothing(wire: Wire) -> None:
    a, b = wire.open_a(), wire.open_b()
    sent = [i.to_bytes(4, "big") for i in range(DRAIN_MAX + 50)]
    for payload in sent:
        assert a.send_beat(IP_A, IP_B, MAC_B, payload) is Sent.SENT
    # All of them wait before the first read: the last frame the kernel delivered is counted (struct tpacket_stats).
    delivered = 0

    def all_there() -> bool:
        nonlocal delivered
        statistics = socket.socket(fileno=os.dup(b.beat_filenos()[0]))
        with statistics:
            delivered += int.from_bytes(statistics.getsockopt(263, 6, 8)[:4], sys.byteorder)
        return delivered >= len(sent)

    until(all_there)
    first, rest = b.drain(b.beat_filenos()), b.drain(b.beat_filenos())
    assert len(first) == DRAIN_MAX
    assert [e.payload for e in first + rest if isinstance(e, BeatReceived)] == sent


def test_overflow_is_counted(wire: Wire) -> None:
    a, b = wire.open_a(), wire.open_b()
    for _ in range(5000):
        a.send_beat(IP_A, IP_B, MAC_B, b"x" * 1000)

    def overflowed() -> int:
        b.count_overflow()
        return b.dropped[Dropped.OVERFLOW]

    assert until(overflowed) > 0


def test_down_up_and_gone(wire: Wire) -> None:
    a, b = wire.open_a(), wire.open_b()
    wire.set_a("down")
    assert a.send_beat(IP_A, IP_B, MAC_B, b"x") is Sent.DOWN
    assert a.probe("10.1.1.7", IP_A) is Sent.DOWN
    assert a.announce("10.1.1.7") == (Sent.DOWN, Sent.DOWN)
    assert a.drain(a.filenos()) == []
    wire.set_a("up")
    until(lambda: a.send_beat(IP_A, IP_B, MAC_B, b"back") is Sent.SENT and b.drain(b.beat_filenos()))
    wire.unplug()
    assert a.send_beat(IP_A, IP_B, MAC_B, b"x") is Sent.GONE
    assert a.drain(a.filenos()) == []


def test_an_egress_gate_on_arp_sees_announcements_and_lets_beats_pass(wire: Wire) -> None:
    a = wire.open_a()
    with inside(wire.a):
        run_nft(
            'table netdev t { chain out { type filter hook egress device "eth1" priority 0; policy accept;'
            " ether type arp arp saddr ip 10.1.1.7 drop\n }\n }\n"
        )
    assert a.announce("10.1.1.7") == (Sent.GATED, Sent.GATED)
    assert a.probe("10.1.1.7", IP_A) is Sent.SENT
    assert a.send_beat(IP_A, IP_B, MAC_B, b"x") is Sent.SENT
