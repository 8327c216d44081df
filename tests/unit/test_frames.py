"""Frames against scapy as an oracle, and garbage against the parsers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from vipa import frames
from vipa.frames import Arp, Beat, BeatPath

MAC_A = "52:54:00:00:00:0a"
MAC_B = "52:54:00:00:00:0b"
PORT = 7117

macs = st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":"))
addresses = st.ip_addresses(v=4).map(str)


def test_probe_equals_scapys() -> None:
    scapys = Ether(src=MAC_A, dst=frames.BROADCAST_MAC) / ARP(
        op=1, hwsrc=MAC_A, psrc="10.1.1.4", hwdst=frames.NO_MAC, pdst="10.1.1.7"
    )
    assert frames.arp_request(MAC_A, "10.1.1.4", "10.1.1.7") == bytes(scapys)


def test_unicast_probe_goes_to_that_station_only() -> None:
    scapys = Ether(src=MAC_A, dst=MAC_B) / ARP(op=1, hwsrc=MAC_A, psrc="10.1.1.4", hwdst=frames.NO_MAC, pdst="10.1.1.7")
    assert frames.arp_request(MAC_A, "10.1.1.4", "10.1.1.7", MAC_B) == bytes(scapys)


def test_announcements_name_the_address_as_sender_and_target() -> None:
    request, reply = (Ether(frame) for frame in frames.announcements(MAC_A, "10.1.1.7"))
    for frame in (request, reply):
        assert (frame.src, frame.dst) == (MAC_A, frames.BROADCAST_MAC)
        assert (frame[ARP].psrc, frame[ARP].pdst, frame[ARP].hwsrc) == ("10.1.1.7", "10.1.1.7", MAC_A)
    assert (request[ARP].op, request[ARP].hwdst) == (1, frames.NO_MAC)
    assert (reply[ARP].op, reply[ARP].hwdst) == (2, MAC_A), "Linux takes only this as a gratuitous reply"


@given(source=macs, target=macs, sender=addresses, asked=addresses)
def test_scapys_replies_are_understood(source: str, target: str, sender: str, asked: str) -> None:
    scapys = Ether(src=source, dst=target) / ARP(op=2, hwsrc=source, psrc=sender, hwdst=target, pdst=asked)
    assert frames.parse_arp(bytes(scapys)) == Arp(
        is_reply=True,
        source_mac=source,
        sender_mac=source,
        sender_address=sender,
        target_mac=target,
        target_address=asked,
    )
    # Switches pad frames to 60 bytes.
    request = frames.parse_arp(frames.arp_request(source, sender, asked, target).ljust(60, b"\0"))
    assert request is not None
    assert not request.is_reply
    assert (request.sender_address, request.target_address) == (sender, asked)


@given(source=macs, target=macs, sender=addresses, receiver=addresses, port=st.integers(1, 65535), payload=st.binary())
def test_beat_equals_scapys_checksums_included(
    source: str, target: str, sender: str, receiver: str, port: int, payload: bytes
) -> None:
    frame = BeatPath(source, target, sender, receiver, port).frame(payload)
    scapys = (
        Ether(src=source, dst=target)
        / IP(src=sender, dst=receiver, ttl=255, tos=0xC0, flags="DF", id=0)
        / UDP(sport=port, dport=port)
        / Raw(payload)
    )
    assert frame == bytes(scapys)
    assert frames.parse_beat(frame.ljust(60, b"\0"), port) == Beat(source, sender, receiver, payload)


def beat_with(**ip_fields: object) -> bytes:
    return bytes(
        Ether(src=MAC_A, dst=MAC_B)
        / IP(**{"src": "10.1.1.4", "dst": "10.1.1.6", "ttl": 255, **ip_fields})
        / UDP(sport=PORT, dport=PORT)
        / Raw(b"beat")
    )


def test_ip_options_are_stepped_over() -> None:
    beat = frames.parse_beat(beat_with(options=b"\x01\x01\x01\x00"), PORT)
    assert beat is not None
    assert beat.payload == b"beat"


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(beat_with(ttl=254), id="forwarded"),
        pytest.param(beat_with(flags="MF"), id="first fragment"),
        pytest.param(beat_with(frag=3), id="later fragment"),
        pytest.param(beat_with(proto=6), id="not UDP"),
        pytest.param(beat_with(version=6), id="not IPv4"),
        pytest.param(beat_with(ihl=4), id="header too short"),
        pytest.param(beat_with(ihl=15), id="header longer than the packet"),
        pytest.param(beat_with(len=500), id="packet longer than the frame"),
        pytest.param(beat_with()[:-1], id="cut short"),
    ],
)
def test_what_is_no_beat_is_none(frame: bytes) -> None:
    assert frames.parse_beat(beat_with(), PORT) is not None
    assert frames.parse_beat(frame, PORT) is None


def test_another_port_is_not_ours() -> None:
    assert frames.parse_beat(beat_with(), PORT + 1) is None


@given(st.binary(max_size=200))
def test_garbage_is_none(garbage: bytes) -> None:
    assert frames.parse_arp(garbage) is None
    assert frames.parse_beat(garbage, PORT) is None


@given(st.data())
def test_damaged_frames_never_raise(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([beat_with(), frames.arp_request(MAC_A, "10.1.1.4", "10.1.1.7")]))
    damaged = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=8)):
        if damaged:
            damaged[at] = data.draw(st.integers(0, 255))
    frames.parse_arp(bytes(damaged))
    frames.parse_beat(bytes(damaged), PORT)


@pytest.mark.parametrize("mac", ["", "52:54", "52-54-00-00-00-01", "zz:54:00:00:00:01", "52:54:00:00:00:01:02"])
def test_what_is_no_mac_is_refused_with_an_example(mac: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC address"):
        frames.pack_mac(mac)


def test_too_long_a_beat_is_refused() -> None:
    path = BeatPath(MAC_A, MAC_B, "10.1.1.4", "10.1.1.6", PORT)
    assert len(path.frame(b"x" * frames.MAX_BEAT_PAYLOAD)) == 1514
    with pytest.raises(ValueError, match="does not fit"):
        path.frame(b"x" * (frames.MAX_BEAT_PAYLOAD + 1))


def test_a_udp_checksum_of_zero_is_written_as_ones() -> None:
    path = BeatPath(MAC_A, MAC_B, "10.1.1.4", "10.1.1.6", PORT)
    checksum_of_zeros = path.frame(b"\0\0")[40:42]
    # A payload equal to the checksum brings the sum to all ones; zero would mean "no checksum" (RFC 768).
    assert path.frame(checksum_of_zeros)[40:42] == b"\xff\xff"
