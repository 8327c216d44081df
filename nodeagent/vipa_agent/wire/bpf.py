"""Classic BPF programs for packet sockets, assembled from labelled steps (Linux Documentation/networking/filter.rst).

A filter's verdict is the number of bytes it lets through. The programs here use it as a word too: what shall be counted
but not read arrives as one or two bytes, so one plain ``recv`` tells it apart, without control messages.
"""

import ctypes
import socket
import struct
from collections.abc import Sequence
from typing import Final

from vipa import frames6

SNAP_TAGGED: Final = 1
"""Verdict length of a frame with an 802.1Q tag: it belongs to another LAN."""
SNAP_FORWARDED: Final = 2
"""Verdict length of a heartbeat whose TTL is not 255: a router had it in its hands (RFC 5082)."""
SNAP_WHOLE: Final = 0x40000

_SO_ATTACH_FILTER: Final = 26  # include/uapi/asm-generic/socket.h

# Instruction codes and ancillary offsets: include/uapi/linux/filter.h, bpf_common.h
_LD_B, _LD_H, _LD_W = 0x30, 0x28, 0x20
_LD_H_INDEXED: Final = 0x48
_LDX_IP_HEADER: Final = 0xB1  # X = 4 * (byte & 0x0F): length of the IPv4 header
_AND: Final = 0x54
_JEQ, _JGT, _JSET = 0x15, 0x25, 0x45
_RET: Final = 0x06
_ANCILLARY: Final = 0xFFFFF000
_PACKET_TYPE, _IFINDEX, _VLAN_TAG = _ANCILLARY + 4, _ANCILLARY + 8, _ANCILLARY + 44

_MULTICAST: Final = 2  # if_packet.h: HOST 0, BROADCAST 1 and MULTICAST 2 are for us
_OTHERHOST: Final = 3
_VLAN_ID: Final = 0x0FFF  # tag 0 carries only a priority: still this LAN (802.1Q section 9.6)

Step = tuple[int, int, str, str]
"""(code, operand, label when true, label when false); "" is the next step."""
_LABELLED = dict[str, int]


def arp_filter(ifindex: int, mac: bytes) -> bytes:
    """Every ARP frame of another station on exactly this interface; for sockets bound to ETH_P_ARP."""
    return _assemble([*_for_us(ifindex, mac), (_RET, SNAP_WHOLE, "", "")])


def beat_filter(ifindex: int, mac: bytes, port: int) -> bytes:
    """UDP over IPv4, unfragmented, to ``port``, on exactly this interface; for sockets bound to ETH_P_IP."""
    return _assemble(
        [
            (_LD_B, 23, "", ""),
            (_JEQ, 17, "", "drop"),  # UDP first: almost every other packet of a busy node ends here
            (_LD_H, 20, "", ""),
            (_JSET, 0x3FFF, "drop", ""),  # a fragment
            (_LDX_IP_HEADER, 14, "", ""),
            (_LD_H_INDEXED, 16, "", ""),
            (_JEQ, port, "", "drop"),
            *_for_us(ifindex, mac),
            (_LD_B, 22, "", ""),
            (_JEQ, 255, "", "forwarded"),
            (_RET, SNAP_WHOLE, "", ""),
        ]
    )


def beat6_filter(ifindex: int, mac: bytes, port: int) -> bytes:
    """UDP over IPv6, without extension headers, to ``port``, on exactly this interface; for sockets bound to
    ETH_P_IPV6."""
    return _ipv6(ifindex, mac, frames6.UDP, [(_LD_H, 56, "", ""), (_JEQ, port, "", "drop")])


def nd_filter(ifindex: int, mac: bytes) -> bytes:
    """Neighbour solicitations and advertisements, likewise."""
    kinds: list[Step] = [
        (_LD_B, 54, "", ""),
        (_JEQ, frames6.SOLICIT, "wanted", ""),
        (_JEQ, frames6.ADVERTISE, "", "drop"),
        (-1, 0, "wanted", ""),
    ]
    return _ipv6(ifindex, mac, frames6.ICMPV6, kinds)


def _ipv6(ifindex: int, mac: bytes, protocol: int, judged: list[Step]) -> bytes:
    hop_limit: list[Step] = [(_LD_B, 21, "", ""), (_JEQ, 255, "", "forwarded")]  # both are for this LAN alone
    protocols: list[Step] = [(_LD_B, 20, "", ""), (_JEQ, protocol, "", "drop")]
    return _assemble([*protocols, *judged, *_for_us(ifindex, mac), *hop_limit, (_RET, SNAP_WHOLE, "", "")])


def drop_all() -> bytes:
    """A filter that lets nothing through."""
    return _assemble([])


def attach(sock: socket.socket, program: bytes) -> None:
    """Set the socket's filter; OSError when the kernel refuses it."""
    # struct sock_fprog holds a pointer; the kernel copies the program during the call.
    buffer = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    )


def _for_us(ifindex: int, mac: bytes) -> list[Step]:
    """On to the next step only for untagged frames to this station, a group or everyone, from someone else.

    A socket bound to a protocol also sees frames for VLAN devices and bonds above its interface (the kernel hands it
    the original device): the index tells. A tag without a device of ours has been taken off, and the frame marked as
    another host's (net/core/dev.c, ``check_vlan_id``): so "another host's" with *our* address on it was tagged.
    """
    return [
        (_LD_W, _IFINDEX, "", ""),
        (_JEQ, ifindex, "", "drop"),
        (_LD_W, _VLAN_TAG, "", ""),
        (_AND, _VLAN_ID, "", ""),
        (_JGT, 0, "tagged", ""),
        (_LD_W, _PACKET_TYPE, "", ""),
        (_JGT, _OTHERHOST, "drop", ""),  # our own, outgoing
        (_JGT, _MULTICAST, "", "ours"),
        (_LD_B, 0, "", ""),
        (_JSET, 1, "tagged", ""),  # a group address is nobody else's
        (_LD_W, 0, "", ""),
        (_JEQ, int.from_bytes(mac[:4], "big"), "", "drop"),
        (_LD_H, 4, "", ""),
        (_JEQ, int.from_bytes(mac[4:], "big"), "tagged", "drop"),
        (-1, 0, "ours", ""),
    ]


def _assemble(steps: Sequence[Step]) -> bytes:
    """Machine code: labels become relative jumps; code -1 marks a place; verdicts stand at the end."""
    verdicts = (("drop", 0), ("tagged", SNAP_TAGGED), ("forwarded", SNAP_FORWARDED))
    code: list[Step] = []
    places: _LABELLED = {}
    for step in [*steps, *(s for name, snap in verdicts for s in ((-1, 0, name, ""), (_RET, snap, "", "")))]:
        if step[0] < 0:
            places[step[2]] = len(code)
        else:
            code.append(step)

    def jump(at: int, label: str) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        struct.pack("@HBBI", operation, jump(at, true), jump(at, false), operand)
        for at, (operation, operand, true, false) in enumerate(code)
    )
