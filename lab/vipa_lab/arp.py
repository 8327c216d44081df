"""ARP frames as bytes (RFC 826, RFC 5227): build a question, read what passes by."""

import socket
import struct
from typing import Final

import msgspec

ETH_P_ALL: Final = 0x0003  # include/uapi/linux/if_ether.h
ETH_P_ARP: Final = 0x0806
BROADCAST: Final = "ff:ff:ff:ff:ff:ff"
REQUEST: Final = 1
REPLY: Final = 2

# Ethernet: destination, source, type. ARP for Ethernet and IPv4: hardware, protocol, their lengths, operation,
# sender MAC and IP, target MAC and IP.
_FRAME: Final = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_HARDWARE_ETHERNET: Final = 1
_PROTOCOL_IPV4: Final = 0x0800


class Arp(msgspec.Struct, frozen=True, tag="arp"):
    """One ARP frame; MACs as "02:…" text, addresses as dotted text. ``source`` and ``destination`` are Ethernet's."""

    destination: str
    source: str
    operation: int
    sender_mac: str
    sender_ip: str
    target_mac: str
    target_ip: str


def build(frame: Arp) -> bytes:
    """The frame as it goes onto the wire (42 bytes; the adapter pads it)."""
    return _FRAME.pack(
        _mac_bytes(frame.destination),
        _mac_bytes(frame.source),
        ETH_P_ARP,
        _HARDWARE_ETHERNET,
        _PROTOCOL_IPV4,
        6,
        4,
        frame.operation,
        _mac_bytes(frame.sender_mac),
        socket.inet_aton(frame.sender_ip),
        _mac_bytes(frame.target_mac),
        socket.inet_aton(frame.target_ip),
    )


def parse(data: bytes) -> Arp | None:
    """None for anything but ARP for IPv4 over Ethernet."""
    if len(data) < _FRAME.size:
        return None
    destination, source, ethertype, hardware, protocol, _, _, operation, sha, spa, tha, tpa = _FRAME.unpack_from(data)
    if (ethertype, hardware, protocol) != (ETH_P_ARP, _HARDWARE_ETHERNET, _PROTOCOL_IPV4):
        return None
    return Arp(
        _mac_text(destination),
        _mac_text(source),
        operation,
        _mac_text(sha),
        socket.inet_ntoa(spa),
        _mac_text(tha),
        socket.inet_ntoa(tpa),
    )


def who_has(mac: str, ip: str, target_ip: str) -> bytes:
    """The broadcast question "who has ``target_ip``?" from ``mac``/``ip`` (``ip`` 0.0.0.0 for an RFC 5227 probe)."""
    return build(Arp(BROADCAST, mac, REQUEST, mac, ip, "00:00:00:00:00:00", target_ip))


def announcement(mac: str, ip: str, *, reply_form: bool = False) -> bytes:
    """Gratuitous ARP "``ip`` is at ``mac``", in request form (RFC 5227's announcement) or in reply form."""
    operation = REPLY if reply_form else REQUEST
    return build(Arp(BROADCAST, mac, operation, mac, ip, BROADCAST if reply_form else "00:00:00:00:00:00", ip))


def _mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _mac_text(data: bytes) -> str:
    return data.hex(":")
