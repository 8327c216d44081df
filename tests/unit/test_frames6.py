"""IPv6 frames against scapy as an oracle, and garbage against the parsers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from vipa import frames6
from vipa.frames import Arp, Beat
from vipa.frames6 import BeatPath6

MAC_A = "52:54:00:00:00:0a"
MAC_B = "52:54:00:00:00:0b"
OWN, VIP = "fe80::a", "fd00:1::12:3407"
PORT = 7117

macs = st.binary(min_size=6, max_size=6).map(lambda b: b.hex(":"))
addresses = st.ip_addresses(v=6).map(str)


def test_a_question_goes_to_the_group_of_the_address() -> None:
    scapys = (
        Ether(src=MAC_A, dst="33:33:ff:12:34:07")
        / IPv6(src=OWN, dst="ff02::1:ff12:3407", hlim=255)
        / ICMPv6ND_NS(tgt=VIP)
        / ICMPv6NDOptSrcLLAddr(lladdr=MAC_A)
    )
    assert frames6.solicitation(MAC_A, OWN, VIP) == bytes(scapys)


def test_a_question_to_one_station_goes_there_only() -> None:
    scapys = (
        Ether(src=MAC_A, dst=MAC_B)
        / IPv6(src=OWN, dst=VIP, hlim=255)
        / ICMPv6ND_NS(tgt=VIP)
        / ICMPv6NDOptSrcLLAddr(lladdr=MAC_A)
    )
    assert frames6.solicitation(MAC_A, OWN, VIP, MAC_B) == bytes(scapys)


def test_who_has_no_address_yet_names_no_mac() -> None:
    """RFC 4861 section 4.3: the option must not be there when the sender is unspecified."""
    scapys = (
        Ether(src=MAC_A, dst="33:33:ff:12:34:07")
        / IPv6(src="::", dst="ff02::1:ff12:3407", hlim=255)
        / ICMPv6ND_NS(tgt=VIP)
    )
    assert frames6.solicitation(MAC_A, frames6.UNSPECIFIED, VIP) == bytes(scapys)


@pytest.mark.parametrize("router", [False, True])
def test_an_announcement_overrides_and_says_what_the_kernel_says(router: bool) -> None:
    scapys = (
        Ether(src=MAC_A, dst="33:33:00:00:00:01")
        / IPv6(src=VIP, dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(R=int(router), S=0, O=1, tgt=VIP)
        / ICMPv6NDOptDstLLAddr(lladdr=MAC_A)
    )
    assert frames6.advertisement(MAC_A, VIP, router=router) == bytes(scapys)


@given(source=macs, named=macs, to=macs, sender=addresses, receiver=addresses, target=addresses)
def test_scapys_answers_are_understood(
    source: str, named: str, to: str, sender: str, receiver: str, target: str
) -> None:
    frame = (
        Ether(src=source, dst=to)
        / IPv6(src=sender, dst=receiver, hlim=255)
        / ICMPv6ND_NA(tgt=target)
        / ICMPv6NDOptDstLLAddr(lladdr=named)
    )
    assert frames6.parse_nd(bytes(frame)) == Arp(True, source, named, target, to, receiver)
    without = bytes(Ether(src=source, dst=to) / IPv6(src=sender, dst=receiver, hlim=255) / ICMPv6ND_NA(tgt=target))
    assert frames6.parse_nd(without) == Arp(True, source, source, target, to, receiver)


@given(source=macs, sender=addresses, target=addresses)
def test_own_questions_are_understood(source: str, sender: str, target: str) -> None:
    arp = frames6.parse_nd(frames6.solicitation(source, sender, target, MAC_B))
    assert arp == Arp(False, source, source, sender, MAC_B, target)


@given(source=macs, target=macs, sender=addresses, receiver=addresses, port=st.integers(1, 65535), payload=st.binary())
def test_beat_equals_scapys_checksum_included(
    source: str, target: str, sender: str, receiver: str, port: int, payload: bytes
) -> None:
    frame = BeatPath6(source, target, sender, receiver, port).frame(payload)
    scapys = (
        Ether(src=source, dst=target)
        / IPv6(src=sender, dst=receiver, hlim=255, tc=0xC0)
        / UDP(sport=port, dport=port)
        / Raw(payload)
    )
    assert frame == bytes(scapys)
    assert frames6.parse_beat6(frame.ljust(60, b"\0"), port) == Beat(source, sender, receiver, payload)


def beat_with(*between: Packet, **ip_fields: object) -> bytes:
    packet = Ether(src=MAC_A, dst=MAC_B) / IPv6(**{"src": "fd00:1::4", "dst": "fd00:1::6", "hlim": 255, **ip_fields})
    for header in between:
        packet = packet / header
    return bytes(packet / UDP(sport=PORT, dport=PORT) / Raw(b"beat"))


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(beat_with(hlim=254), id="forwarded"),
        pytest.param(beat_with(IPv6ExtHdrHopByHop()), id="extension header"),
        pytest.param(beat_with(nh=6), id="not UDP"),
        pytest.param(beat_with(version=4), id="not IPv6"),
        pytest.param(beat_with(plen=4), id="packet shorter than the datagram"),
        pytest.param(beat_with()[:-1], id="cut short"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_beat_is_none(frame: bytes) -> None:
    assert frames6.parse_beat6(beat_with(), PORT) is not None
    assert frames6.parse_beat6(frame, PORT) is None
    assert frames6.parse_beat6(beat_with(), PORT + 1) is None


def advert(**fields: object) -> bytes:
    return bytes(
        Ether(src=MAC_A, dst=MAC_B) / IPv6(**{"src": OWN, "dst": VIP, "hlim": 255, **fields}) / ICMPv6ND_NA(tgt=VIP)
    )


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(advert(hlim=254), id="forwarded"),
        pytest.param(advert(nh=17), id="not ICMP"),
        pytest.param(advert(version=4), id="not IPv6"),
        pytest.param(advert()[:-1], id="cut short"),
        pytest.param(advert(plen=8), id="shorter than it must be"),
        pytest.param(advert()[:54] + b"\x86" + advert()[55:], id="a router's"),
    ],
)
def test_what_is_no_neighbours_word_is_none(frame: bytes) -> None:
    assert frames6.parse_nd(advert()) is not None
    assert frames6.parse_nd(frame) is None


@given(st.data())
def test_damaged_frames_never_raise(data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([beat_with(), frames6.solicitation(MAC_A, OWN, VIP), advert()]))
    damaged = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=8)):
        if damaged:
            damaged[at] = data.draw(st.integers(0, 255))
    frames6.parse_nd(bytes(damaged))
    frames6.parse_beat6(bytes(damaged), PORT)


def test_too_long_a_beat_is_refused() -> None:
    path = BeatPath6(MAC_A, MAC_B, "fd00:1::4", "fd00:1::6", PORT)
    assert len(path.frame(b"x" * frames6.MAX_BEAT_PAYLOAD)) == 1514
    with pytest.raises(ValueError, match="does not fit"):
        path.frame(b"x" * (frames6.MAX_BEAT_PAYLOAD + 1))
