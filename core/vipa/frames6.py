"""Ethernet frames of IPv6 as bytes: neighbour discovery (RFC 4861) and heartbeats as UDP. Pure builders and parsers.

The same conventions as :mod:`vipa.frames`, whose Arp and Beat come out here too, so that nobody after the parser has to
care: an advertisement is an ARP reply whose ``sender_address`` is the advertised target and whose ``target_address`` is
the station it was sent to ("ff02::1": everyone); a solicitation is a request.
"""

import struct
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final

from vipa.frames import BEAT_TOS, BEAT_TTL, Arp, Beat, checksum, mac_text, pack_mac

ETHERTYPE_IPV6: Final = 0x86DD
MAX_BEAT_PAYLOAD: Final = 1452
"""Longest UDP payload in an IPv6 packet of 1,500 bytes."""
UNSPECIFIED: Final = "::"
"""Sender of a solicitation that asks for an address before having one (duplicate address detection, RFC 4862)."""
ALL_NODES: Final = "ff02::1"

SOLICIT: Final = 135
ADVERTISE: Final = 136
UDP: Final = 17
ICMPV6: Final = 58

_ETHERNET_LEN: Final = 14
_HEADER: Final = struct.Struct("!6s6sHIHBB16s16s")
_ND: Final = struct.Struct("!BBHI16s")
_UDP: Final = struct.Struct("!HHHH")
_TRAFFIC_CLASS_AT: Final = 20
_VERSION: Final = 6 << 28
_ND_HOPS: Final = 255
"""RFC 4861 section 7.1: no router has passed it on."""
_ROUTER, _OVERRIDE = 1 << 31, 1 << 29
_SOURCE_MAC, _TARGET_MAC = 1, 2
_OPTION_LEN: Final = 8
_SOLICITED_NODE: Final = IPv6Address("ff02::1:ff00:0").packed[:13]


@lru_cache(maxsize=4096)
def pack_ipv6(address: str) -> bytes:
    """Sixteen bytes of an IPv6 address; ValueError when it is none."""
    return IPv6Address(address).packed


@lru_cache(maxsize=4096)
def _ipv6_text(packed: bytes) -> str:
    return str(IPv6Address(packed))


def solicitation(source_mac: str, sender_address: str, target_address: str, target_mac: str = "") -> bytes:
    """ "Who has ``target_address``?" To its group, or to one station only when ``target_mac`` is given. Answers come to
    ``sender_address``, or to everyone when it is "::"."""
    mac, target = pack_mac(source_mac), pack_ipv6(target_address)
    group = _SOLICITED_NODE + target[13:]
    to, receiver = (pack_mac(target_mac), target) if target_mac else (b"\x33\x33" + group[12:], group)
    option = b"" if sender_address == UNSPECIFIED else _option(_SOURCE_MAC, mac)
    return _icmp(to, mac, pack_ipv6(sender_address), receiver, SOLICIT, 0, target, option)


def advertisement(source_mac: str, address: str, *, router: bool) -> bytes:
    """Unsolicited, to everyone: ``address`` is at ``source_mac`` from now on (override). ``router``: what the
    interface's kernel says in its own advertisements, or hosts would strike it from their routers."""
    mac, target = pack_mac(source_mac), pack_ipv6(address)
    flags = _OVERRIDE | (_ROUTER if router else 0)
    everyone = pack_ipv6(ALL_NODES)
    return _icmp(
        b"\x33\x33" + everyone[12:], mac, target, everyone, ADVERTISE, flags, target, _option(_TARGET_MAC, mac)
    )


def _icmp(
    to: bytes, mac: bytes, source: bytes, receiver: bytes, kind: int, flags: int, target: bytes, option: bytes
) -> bytes:
    length = _ND.size + len(option)
    body = _ND.pack(kind, 0, 0, flags, target) + option
    total = int.from_bytes(source + receiver, "big") + length + ICMPV6 + int.from_bytes(body, "big")
    head = _HEADER.pack(to, mac, ETHERTYPE_IPV6, _VERSION, length, ICMPV6, _ND_HOPS, source, receiver)
    return head + _ND.pack(kind, 0, checksum(total), flags, target) + option


def _option(kind: int, mac: bytes) -> bytes:
    return bytes((kind, 1)) + mac


def parse_nd(frame: bytes) -> Arp | None:
    """The neighbour solicitation or advertisement in ``frame``: complete, hop limit 255. The sender's MAC is the one in
    its option, or where there is none that of the frame. Checksums are not looked at, as with heartbeats."""
    at = _ETHERNET_LEN + 40
    if len(frame) < at + _ND.size:
        return None
    _, source_mac, ether_type, version, length, following, hops, source, receiver = _HEADER.unpack_from(frame)
    if ether_type != ETHERTYPE_IPV6 or version >> 28 != 6 or following != ICMPV6 or hops != _ND_HOPS:
        return None
    if length < _ND.size or len(frame) < at + length:
        return None
    kind, code, _, _, target = _ND.unpack_from(frame, at)
    if kind not in (SOLICIT, ADVERTISE) or code:
        return None
    is_reply = kind == ADVERTISE
    mac = _mac_option(frame[at + _ND.size : at + length], _TARGET_MAC if is_reply else _SOURCE_MAC) or source_mac
    return Arp(
        is_reply=is_reply,
        source_mac=mac_text(source_mac),
        sender_mac=mac_text(mac),
        sender_address=_ipv6_text(target if is_reply else source),
        target_mac=mac_text(frame[:6]),
        target_address=_ipv6_text(receiver if is_reply else target),
    )


def _mac_option(options: bytes, wanted: int) -> bytes:
    while len(options) >= _OPTION_LEN:
        kind, units = options[0], options[1]
        if kind == wanted and units == 1:
            return options[2:_OPTION_LEN]
        if not units:
            break
        options = options[units * _OPTION_LEN :]
    return b""


class BeatPath6:
    """From one endpoint to another: everything of a heartbeat frame that does not change, packed once."""

    def __init__(self, source_mac: str, target_mac: str, source_address: str, target_address: str, port: int) -> None:
        source, target = pack_ipv6(source_address), pack_ipv6(target_address)
        self._fixed = (
            pack_mac(target_mac),
            pack_mac(source_mac),
            ETHERTYPE_IPV6,
            _VERSION | BEAT_TOS << _TRAFFIC_CLASS_AT,
        )
        self._addresses = (source, target)
        self._port = port
        self._sum = int.from_bytes(source + target, "big") + UDP + 2 * port

    def frame(self, payload: bytes) -> bytes:
        """The whole frame around ``payload`` (0-1452 bytes, else ValueError)."""
        if len(payload) > MAX_BEAT_PAYLOAD:
            raise ValueError(f"a heartbeat of {len(payload)} bytes does not fit a packet (at most {MAX_BEAT_PAYLOAD})")
        length = _UDP.size + len(payload)
        even = payload + b"\0" if length % 2 else payload
        # The length stands in the UDP header and in the pseudo header (RFC 8200 section 8.1).
        udp_checksum = checksum(self._sum + 2 * length + int.from_bytes(even, "big")) or 0xFFFF
        head = _HEADER.pack(*self._fixed, length, UDP, BEAT_TTL, *self._addresses)
        return head + _UDP.pack(self._port, self._port, length, udp_checksum) + payload


def parse_beat6(frame: bytes, port: int) -> Beat | None:
    """The UDP datagram to ``port`` in ``frame``: IPv6 without extension headers, hop limit 255, complete."""
    at = _ETHERNET_LEN + 40
    if len(frame) < at + _UDP.size:
        return None
    _, source_mac, ether_type, version, payload_length, following, hops, source, target = _HEADER.unpack_from(frame)
    if ether_type != ETHERTYPE_IPV6 or version >> 28 != 6 or following != UDP or hops != BEAT_TTL:
        return None
    _, target_port, length, _ = _UDP.unpack_from(frame, at)
    if target_port != port or not _UDP.size <= length <= payload_length or len(frame) < at + length:
        return None
    return Beat(mac_text(source_mac), _ipv6_text(source), _ipv6_text(target), frame[at + _UDP.size : at + length])
