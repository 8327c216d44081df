"""Ethernet frames as bytes: ARP (RFC 826, 5227) and heartbeats as UDP over IPv4. Pure builders and parsers.

MACs are text ("52:54:00:00:00:01"), addresses canonical text without prefix length, frames ``bytes`` without FCS.
Builders raise ValueError for text that is no MAC or no IPv4 address. Parsers take anything from the wire and never
raise: what is not exactly what they look for is None. IPv6 is in :mod:`vipa.frames6`.
"""

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Final

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806

BROADCAST_MAC: Final = "ff:ff:ff:ff:ff:ff"
NO_MAC: Final = "00:00:00:00:00:00"

BEAT_TTL: Final = 255
"""RFC 5082: no router passes on a TTL of 255, so a frame that still has it was sent on this LAN."""

BEAT_TOS: Final = 0xC0
"""DSCP CS6, network control (RFC 4594 section 3.2), as VRRP and BFD use."""

MAX_BEAT_PAYLOAD: Final = 1472
"""Longest UDP payload in an unfragmented IPv4 packet of 1,500 bytes."""

_MAC: Final = re.compile("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
_ARP: Final = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_BEAT: Final = struct.Struct("!6s6sHBBHHHBBH4s4sHHHH")
_ETHERNET_LEN: Final = 14
_IPV4_LEN: Final = 20
_UDP_LEN: Final = 8
_PROTOCOL_UDP: Final = 17
_DONT_FRAGMENT: Final = 0x4000
_FRAGMENT_BITS: Final = 0x3FFF  # more-fragments flag and offset (RFC 791)
_ARP_REQUEST: Final = 1
_ARP_REPLY: Final = 2


@dataclass(frozen=True, slots=True)
class Arp:
    """One ARP frame. ``source_mac`` is the Ethernet sender, ``sender_mac`` what the ARP body claims."""

    is_reply: bool
    source_mac: str
    sender_mac: str
    sender_address: str
    target_mac: str
    target_address: str


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat datagram and where the frame says it came from and goes to."""

    source_mac: str
    source_address: str
    target_address: str
    payload: bytes


# Caches: a LAN shows the same few thousand addresses again and again; a lookup is 50 ns, the conversion 0.5-2 µs.
@lru_cache(maxsize=4096)
def pack_mac(mac: str) -> bytes:
    """Six bytes of a MAC; ValueError when it is none."""
    if not _MAC.fullmatch(mac):
        raise ValueError(f"{mac!r} is not a MAC address (six bytes like 52:54:00:00:00:01)")
    return bytes.fromhex(mac.replace(":", ""))


@lru_cache(maxsize=4096)
def pack_ipv4(address: str) -> bytes:
    """Four bytes of an IPv4 address; ValueError when it is none."""
    return IPv4Address(address).packed


@lru_cache(maxsize=4096)
def mac_text(packed: bytes) -> str:
    """Six bytes as text."""
    return packed.hex(":")


@lru_cache(maxsize=4096)
def _ipv4_text(packed: bytes) -> str:
    return str(IPv4Address(packed))


def arp_request(source_mac: str, sender_address: str, target_address: str, target_mac: str = BROADCAST_MAC) -> bytes:
    """ "Who has ``target_address``? Tell ``sender_address``". To one station only when ``target_mac`` is given."""
    mac = pack_mac(source_mac)
    return _arp(pack_mac(target_mac), mac, _ARP_REQUEST, sender_address, pack_mac(NO_MAC), target_address)


def announcements(source_mac: str, address: str) -> tuple[bytes, bytes]:
    """Both forms of gratuitous ARP for ``address``, broadcast: the request (RFC 5227 section 2.3) and the reply.

    The reply carries its own MAC as target (RFC 5944 section 4.6): Linux takes no other for gratuitous
    (net/ipv4/arp.c, ``arp_is_garp``).
    """
    mac, everyone = pack_mac(source_mac), pack_mac(BROADCAST_MAC)
    request = _arp(everyone, mac, _ARP_REQUEST, address, pack_mac(NO_MAC), address)
    reply = _arp(everyone, mac, _ARP_REPLY, address, mac, address)
    return request, reply


def _arp(to: bytes, mac: bytes, operation: int, sender: str, target_mac: bytes, target: str) -> bytes:
    head = (to, mac, ETHERTYPE_ARP, 1, ETHERTYPE_IPV4, 6, 4, operation)  # Ethernet hardware, IPv4 protocol, lengths
    return _ARP.pack(*head, mac, pack_ipv4(sender), target_mac, pack_ipv4(target))


def parse_arp(frame: bytes) -> Arp | None:
    """The ARP request or reply for IPv4 over Ethernet in ``frame`` (trailing padding allowed)."""
    if len(frame) < _ARP.size:
        return None
    _, source, ether_type, hardware, protocol, hlen, plen, operation, mac, sender, target_mac, target = (
        _ARP.unpack_from(frame)
    )
    if (ether_type, hardware, protocol, hlen, plen) != (ETHERTYPE_ARP, 1, ETHERTYPE_IPV4, 6, 4):
        return None
    if operation not in (_ARP_REQUEST, _ARP_REPLY):
        return None
    return Arp(
        is_reply=operation == _ARP_REPLY,
        source_mac=mac_text(source),
        sender_mac=mac_text(mac),
        sender_address=_ipv4_text(sender),
        target_mac=mac_text(target_mac),
        target_address=_ipv4_text(target),
    )


class BeatPath:
    """From one endpoint to another: everything of a heartbeat frame that does not change, packed once."""

    def __init__(self, source_mac: str, target_mac: str, source_address: str, target_address: str, port: int) -> None:
        source, target = pack_ipv4(source_address), pack_ipv4(target_address)
        self._macs = (pack_mac(target_mac), pack_mac(source_mac))
        self._addresses = (source, target)
        self._port = port
        fixed = (0x4500 | BEAT_TOS) + _DONT_FRAGMENT + (BEAT_TTL << 8 | _PROTOCOL_UDP)
        addresses = int.from_bytes(source + target, "big")
        self._ip_sum = fixed + addresses
        self._udp_sum = addresses + _PROTOCOL_UDP + 2 * port

    def frame(self, payload: bytes) -> bytes:
        """The whole frame around ``payload`` (0-1472 bytes, else ValueError), both checksums computed."""
        length = _UDP_LEN + len(payload)
        if len(payload) > MAX_BEAT_PAYLOAD:
            raise ValueError(f"a heartbeat of {len(payload)} bytes does not fit a packet (at most {MAX_BEAT_PAYLOAD})")
        total = _IPV4_LEN + length
        even = payload + b"\0" if length % 2 else payload
        # The length stands in the UDP header and in the pseudo header (RFC 768).
        udp_checksum = checksum(self._udp_sum + 2 * length + int.from_bytes(even, "big")) or 0xFFFF
        header = _BEAT.pack(
            *self._macs,
            ETHERTYPE_IPV4,
            0x45,
            BEAT_TOS,
            total,
            0,  # identification: meaningless where fragmentation is forbidden (RFC 6864)
            _DONT_FRAGMENT,
            BEAT_TTL,
            _PROTOCOL_UDP,
            checksum(self._ip_sum + total),
            *self._addresses,
            self._port,
            self._port,
            length,
            udp_checksum,
        )
        return header + payload


def parse_beat(frame: bytes, port: int) -> Beat | None:
    """The UDP datagram to ``port`` in ``frame``: IPv4, unfragmented, TTL 255, complete.

    Checksums are not looked at: the payload carries its own authentication, and frames of a neighbour on the same
    machine legitimately come with the checksum still to be filled in.
    """
    if len(frame) < _BEAT.size:
        return None
    _, source_mac, ether_type, version, _, total, _, fragment, ttl, protocol = struct.unpack_from(
        "!6s6sHBBHHHBB", frame
    )
    if ether_type != ETHERTYPE_IPV4 or ttl != BEAT_TTL or protocol != _PROTOCOL_UDP or fragment & _FRAGMENT_BITS:
        return None
    ip_header = (version & 0x0F) * 4
    udp_at = _ETHERNET_LEN + ip_header
    if version >> 4 != 4 or ip_header < _IPV4_LEN or len(frame) < _ETHERNET_LEN + total or total < ip_header + _UDP_LEN:
        return None
    _, target_port, length = struct.unpack_from("!HHH", frame, udp_at)
    if target_port != port or not _UDP_LEN <= length <= total - ip_header:
        return None
    return Beat(
        source_mac=mac_text(source_mac),
        source_address=_ipv4_text(frame[26:30]),
        target_address=_ipv4_text(frame[30:34]),
        payload=frame[udp_at + _UDP_LEN : udp_at + length],
    )


def checksum(total: int) -> int:
    """Internet checksum (RFC 1071) of what ``total`` adds up: one's-complement addition is addition modulo 0xFFFF, for
    which a whole buffer read as one number stands for the sum of its words."""
    return -total % 0xFFFF
