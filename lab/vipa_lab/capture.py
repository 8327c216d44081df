"""The observer's program: every ARP and ND frame at the switch, with the port it came in by or went out by.

``python -m vipa_lab.capture`` runs on the switch and writes one JSON line per frame; SIGTERM ends it, after what the
kernel still holds, with a last line that says how many frames were dropped. Frames going out are seen after every cut
and loss of the lab, so they are what the receiver got. Stamps are the kernel's, put on when the frame passed.
"""

import ctypes
import select
import socket
import struct
import sys
import time
from typing import Final, Literal

import msgspec

from vipa_lab import arp, nd
from vipa_lab.pacing import Stop, prepare

# include/uapi/linux/if_packet.h and asm-generic/socket.h; Python has no names for these.
_PACKET_OUTGOING: Final = 4
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_SO_ATTACH_FILTER: Final = 26
_SO_RCVBUFFORCE: Final = 33
_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")
# 1,000 frames per second for several seconds of a stopped reader; the kernel doubles it for its own overhead.
_BUFFER_BYTES: Final = 4 << 20
_POLL_S: Final = 0.05
_FRAME_MAX: Final = 128
# Classic BPF: load the half-word at 12 (Ethernet type); accept ARP. Of IPv6 (next header at 20, ICMPv6's type at 54)
# accept neighbour solicitations and advertisements; drop all else.
_ASKED_OR_TOLD: Final = (
    (0x28, 0, 0, 12),
    (0x15, 6, 0, arp.ETH_P_ARP),
    (0x15, 0, 6, nd.ETH_P_IPV6),
    (0x30, 0, 0, 20),
    (0x15, 0, 4, nd.ICMPV6),
    (0x30, 0, 0, 54),
    (0x15, 1, 0, nd.SOLICIT_TYPE),
    (0x15, 0, 1, nd.ADVERTISE_TYPE),
    (0x06, 0, 0, _FRAME_MAX),
    (0x06, 0, 0, 0),
)

BRIDGE: Final = "br0"
READY: Final = b"ready"


class Frame(msgspec.Struct, frozen=True, tag="frame"):
    """One sighting. ``way``: "in" from the NIC into the switch, "out" from the switch to the NIC."""

    at_s: float
    port: str
    way: Literal["in", "out"]
    packet: arp.Arp | nd.Nd


class End(msgspec.Struct, frozen=True, tag="end"):
    """The capture ended; ``dropped`` frames did not fit the kernel's buffer, and any verdict is then void."""

    dropped: int


Line = Frame | End


def open_capture() -> socket.socket:
    """A socket that sees ARP and ND on all ports of this switch, in and out. ETH_P_ALL, because the bridge takes frames
    away before listeners for one protocol are asked (net/core/dev.c: taps, then the rx_handler, then protocols)."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETH_P_ALL))
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *instruction) for instruction in _ASKED_OR_TOLD))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_ASKED_OR_TOLD), ctypes.addressof(program))
    )
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:  # older kernels in a user namespace: as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setblocking(False)
    return sock


def read_frames(sock: socket.socket) -> list[Frame]:
    """All frames that wait, oldest first."""
    found: list[Frame] = []
    while True:
        try:
            data, control, _, address = sock.recvmsg(_FRAME_MAX, socket.CMSG_SPACE(_TIMESPEC.size))
        except BlockingIOError:
            return found
        except OSError:
            continue  # "network is down" of one port, reported once
        port, packet_type = address[0], address[2]
        frame = arp.parse(data) or nd.parse(data)
        if frame is None or port == BRIDGE:
            continue  # the bridge's own copy of a broadcast: nobody lives there
        way: Literal["in", "out"] = "out" if packet_type == _PACKET_OUTGOING else "in"
        found.append(Frame(_monotonic(control), port, way, frame))


def _monotonic(control: list[tuple[int, int, bytes]]) -> float:
    """The kernel's stamp is wall clock; put it on the monotonic clock by its age now."""
    now_s, wall_ns = time.monotonic(), time.time_ns()
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            age_ns: int = wall_ns - seconds * 1_000_000_000 - nanoseconds
            return now_s - age_ns / 1e9
    return now_s


def main() -> None:
    """Entry point."""
    stop = Stop()
    prepare()
    sock = open_capture()
    encoder = msgspec.json.Encoder()
    write = sys.stdout.buffer.write
    write(READY + b"\n")
    sys.stdout.buffer.flush()
    stopping = False
    while not stopping:
        stopping = bool(stop)  # read once more after the signal: what passed before it counts
        if select.select([sock], [], [], 0 if stopping else _POLL_S)[0]:
            for frame in read_frames(sock):
                write(encoder.encode(frame) + b"\n")
            sys.stdout.buffer.flush()
    _, dropped = struct.unpack("II", sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    write(encoder.encode(End(dropped)) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
