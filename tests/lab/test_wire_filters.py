"""What comes in by the packet sockets on a real veth pair, what is ignored, and what of that is counted."""

import sys

import pytest
from scapy.layers.l2 import ARP, Dot1Q, Ether

from vipa import frames
from vipa.election.events import BeatReceived
from vipa_agent.wire import Dropped
from vipa_lab.until import SOON_S
from vipa_lab.wire_rig import IP_A, MAC_A, MAC_B, PORT, Wire, after_marker, beat

OTHER_MAC = "52:54:00:00:00:0c"
FLOOD = """
import contextlib, socket, sys
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth1", 0))
frame = bytes.fromhex(sys.argv[1])
raw.send(frame)
print("flooding", flush=True)
while True:
    with contextlib.suppress(OSError):  # a queue is full
        raw.send(frame)
"""


def test_others_traffic_is_left_alone(wire: Wire) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    raw.send(beat(port=PORT + 1))
    raw.send(beat(mac=OTHER_MAC))
    reply = ARP(op=2, hwsrc=MAC_A, psrc="10.1.1.9", hwdst=OTHER_MAC, pdst="10.1.1.8")
    raw.send(bytes(Ether(src=MAC_A, dst=OTHER_MAC) / reply))
    assert after_marker(b, raw) == []
    assert not +b.dropped


def test_broadcast_beats_for_a_neighbour_are_counted(wire: Wire) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    raw.send(beat(target="10.1.1.5", mac=frames.BROADCAST_MAC))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.NOT_FOR_US: 1}


def test_forwarded_beats_are_counted(wire: Wire) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    raw.send(beat()[:22] + bytes([254]) + beat()[23:])
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.FORWARDED: 1}


def test_malformed_frames_are_counted(wire: Wire) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    too_long = beat()
    raw.send(too_long[:38] + (500).to_bytes(2, "big") + too_long[40:])  # UDP length
    raw.send(bytes(Ether(src=MAC_A, dst=MAC_B) / ARP(op=9)))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.MALFORMED: 2}


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + bytes(Ether() / Dot1Q(vlan=vlan))[12:16] + frame[12:]


def test_a_device_stacked_on_the_interface_keeps_its_traffic(wire: Wire) -> None:
    # The kernel shows the lower device's sockets what goes to a macvlan, VLAN device or bond above it, too.
    stacked = "52:54:00:00:00:1b"
    macvlan = ("name", "mv0", "address", stacked, "type", "macvlan", "mode", "bridge")
    wire.b.run(["ip", "link", "add", "link", "eth1", *macvlan])
    wire.b.run(["ip", "link", "set", "mv0", "up"])
    b, raw = wire.open_b(), wire.raw_a()
    raw.send(beat(mac=stacked))
    raw.send(frames.arp_request(MAC_A, IP_A, "10.1.1.9", stacked))
    assert after_marker(b, raw) == []


@pytest.mark.parametrize("mac", [MAC_B, frames.BROADCAST_MAC])
def test_tagged_frames_are_ignored_and_counted(wire: Wire, mac: str) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    raw.send(tagged(beat(mac=mac), 5))
    raw.send(tagged(frames.arp_request(MAC_A, "10.1.1.7", "10.1.1.7", mac), 5))
    raw.send(tagged(frames.arp_request(MAC_A, "10.1.1.7", "10.1.1.7", OTHER_MAC), 5))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.TAGGED: 2}, "one beat and one ARP; the third was for somebody else"


def test_priority_tags_are_no_vlan(wire: Wire) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    raw.send(tagged(beat(payload=b"urgent"), 0))
    assert after_marker(b, raw) == [BeatReceived("eth1", IP_A, MAC_A, b"urgent")]
    assert not +b.dropped


def test_nothing_slips_in_before_the_filter(wire: Wire) -> None:
    flood = wire.a.start([sys.executable, "-c", FLOOD, beat(port=PORT + 1).hex()], "flood")
    flood.wait_output("flooding", SOON_S)
    for _ in range(100):
        b = wire.open_b()
        assert b.drain(b.beat_filenos()) == []
        assert b.dropped[Dropped.MALFORMED] == 0
        b.close()
    assert flood.alive, flood.last_words()
