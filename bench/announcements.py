"""Every announcement on a LAN, and when it arrived: a packet socket with a large buffer, read afterwards."""

import socket
import struct
from typing import Final

from vipa import frames
from vipa_lab.host import Host

_SO_TIMESTAMPNS: Final = 35
_SO_RCVBUFFORCE: Final = 33
_BUFFER_BYTES: Final = 64 << 20
# struct timespec
_TIME: Final = struct.Struct("=qq")


class Announcements:
    """Listens on ``listener``'s first adapter from now on. Close it."""

    def __init__(self, listener: Host) -> None:
        self._seen: list[tuple[float, str, str]] = []
        name = next(iter(listener.nics))

        def opened() -> socket.socket:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(0x0806))
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            sock.bind((name, 0x0806))
            return sock

        self._socket = listener.namespace.call(opened)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def first_since(self, start_s: float) -> dict[str, tuple[float, str]]:
        """Address → when it was first announced after ``start_s`` (seconds of CLOCK_REALTIME), and by which MAC."""
        self._read()
        found: dict[str, tuple[float, str]] = {}
        for at, address, mac in self._seen:
            if at >= start_s:
                found.setdefault(address, (at, mac))
        return found

    def _read(self) -> None:
        while True:
            try:
                frame, ancillary, _flags, _address = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            arp = frames.parse_arp(frame)
            if arp is not None and arp.sender_address == arp.target_address:
                seconds, nanoseconds = _TIME.unpack(ancillary[0][2][: _TIME.size])
                self._seen.append((seconds + nanoseconds / 1e9, arp.sender_address, arp.sender_mac))
