"""Netlink by hand: attributes, messages, and a socket that speaks in whole transactions.

Why not pyroute2: what the agent does at a failover must cost microseconds and must not allocate an event loop; the few
messages needed are short. Layouts: netlink(7), rtnetlink(7), include/uapi/linux/netlink.h. Integers are host order
unless said.
"""

import errno
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Self

from vipa_agent.kernel.errors import NetlinkRefused

NETLINK_ROUTE: Final = 0
NETLINK_NETFILTER: Final = 12

NLM_F_REQUEST: Final = 0x001
NLM_F_ACK: Final = 0x004
NLM_F_DUMP_INTR: Final = 0x010
NLM_F_DUMP: Final = 0x300
NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3

NLA_NESTED: Final = 0x8000
_NLA_TYPE_MASK: Final = 0x3FFF

_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_NETLINK_GET_STRICT_CHK: Final = 12

HEADER: Final = struct.Struct("=IHHII")
ATTRIBUTE: Final = struct.Struct("=HH")
_ERRNO: Final = struct.Struct("=i")

RECEIVE_BYTES: Final = 65536
"""Longest datagram read. The kernel makes dump datagrams of at most 32 KiB (netlink_dump, NLMSG_GOODSIZE)."""

_ACKS_PER_SEND: Final = 100
"""Each ack takes about 768 bytes of a default 212,992-byte receive buffer: 100 never overflow it."""

_SEND_BUFFER_BYTES: Final = 4 << 20
"""Asked for; the kernel caps it at net.core.wmem_max. A transaction must fit in one send."""

_DUMP_TRIES: Final = 10
"""A dump interrupted by a change is begun again; so many in a row mean a table that never rests."""


class Message(NamedTuple):
    """One netlink message: type, flags, sequence number, body after the header."""

    kind: int
    flags: int
    sequence: int
    body: bytes


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to 4 bytes."""
    length = ATTRIBUTE.size + len(payload)
    return ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """One nested attribute."""
    return attribute(kind | NLA_NESTED, b"".join(parts))


def attribute_u8(kind: int, value: int) -> bytes:
    """One attribute holding a byte."""
    return attribute(kind, bytes((value,)))


def attribute_u64(kind: int, value: int) -> bytes:
    """One attribute holding a host-order 64-bit integer."""
    return attribute(kind, struct.pack("=Q", value))


def attribute_u32(kind: int, value: int) -> bytes:
    """One attribute holding a host-order 32-bit integer."""
    return attribute(kind, struct.pack("=I", value))


def attribute_text(kind: int, text: str) -> bytes:
    """One attribute holding a NUL-terminated string."""
    return attribute(kind, text.encode() + b"\0")


def attribute_list(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """(type without flag bits, payload) of every attribute from ``offset`` on; repeated types all come."""
    end = len(data)
    while offset + ATTRIBUTE.size <= end:
        length, kind = ATTRIBUTE.unpack_from(data, offset)
        if length < ATTRIBUTE.size:
            return
        yield kind & _NLA_TYPE_MASK, data[offset + ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """Attributes by type; of repeated ones the last."""
    return dict(attribute_list(data, offset))


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One message, padded to 4 bytes."""
    length = HEADER.size + len(body)
    return HEADER.pack(length, kind, flags, sequence, 0) + body + bytes(-length % 4)


def messages(datagram: bytes) -> Iterator[Message]:
    """Every message of a received datagram."""
    offset = 0
    while offset + HEADER.size <= len(datagram):
        length, kind, flags, sequence, _port = HEADER.unpack_from(datagram, offset)
        if length < HEADER.size:
            return
        yield Message(kind, flags, sequence, datagram[offset + HEADER.size : offset + length])
        offset += (length + 3) & ~3


def error_of(body: bytes) -> int:
    """errno in the body of an NLMSG_ERROR or NLMSG_DONE message; 0 is an ack."""
    return -_ERRNO.unpack_from(body)[0] if len(body) >= _ERRNO.size else 0


class NetlinkSocket:
    """One netlink socket. The kernel handles a request inside ``send``, so answers are there when it returns."""

    def __init__(self, protocol: int, *, groups: int = 0) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self.socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        if protocol == NETLINK_ROUTE:
            self.socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.socket.bind((0, groups))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def requests(self, wanted: Sequence[tuple[int, int, bytes]]) -> list[int]:
        """Carry out many independent requests (type, extra flags, body); their errnos in order, 0 for success."""
        results: list[int] = []
        for first in range(0, len(wanted), _ACKS_PER_SEND):
            chunk = wanted[first : first + _ACKS_PER_SEND]
            self._drain()
            self.socket.send(
                b"".join(
                    message(kind, NLM_F_REQUEST | NLM_F_ACK | flags, number, body)
                    for number, (kind, flags, body) in enumerate(chunk)
                )
            )
            answers = dict.fromkeys(range(len(chunk)), -1)
            waiting = len(chunk)
            while waiting:
                for got in messages(self.socket.recv(RECEIVE_BYTES)):
                    if got.kind == NLMSG_ERROR and answers.get(got.sequence) == -1:
                        answers[got.sequence] = error_of(got.body)
                        waiting -= 1
            results.extend(answers.values())
        return results

    def request(self, kind: int, flags: int, body: bytes, what: str, *, fine: Iterable[int] = ()) -> int:
        """Carry out one request; its errno, which is 0 or in ``fine``. Raises NetlinkRefused("WHAT: why")."""
        (code,) = self.requests([(kind, flags, body)])
        if code and code not in fine:
            raise NetlinkRefused(code, what)
        return code

    def get(self, kind: int, body: bytes) -> bytes | None:
        """Body of the one answer to a question; None when it is refused."""
        self._drain()
        self.socket.send(message(kind, NLM_F_REQUEST, 1, body))
        (answer, *_) = messages(self.socket.recv(RECEIVE_BYTES))
        return None if answer.kind == NLMSG_ERROR else answer.body

    def dump(self, kind: int, body: bytes, what: str, *, fine: Iterable[int] = ()) -> list[bytes]:
        """Bodies of all answers to a dump request; none when it is refused with an errno in ``fine``. Raises
        NetlinkRefused for others."""
        for _ in range(_DUMP_TRIES):
            bodies = self._dump_once(kind, body, what, tuple(fine))
            if bodies is not None:
                return bodies
        raise NetlinkRefused(errno.EAGAIN, what)

    def _dump_once(self, kind: int, body: bytes, what: str, fine: tuple[int, ...]) -> list[bytes] | None:
        self._drain()
        self.socket.send(message(kind, NLM_F_REQUEST | NLM_F_DUMP, 1, body))
        bodies: list[bytes] = []
        torn = False
        while True:
            for got in messages(self.socket.recv(RECEIVE_BYTES)):
                torn = torn or bool(got.flags & NLM_F_DUMP_INTR)
                if got.kind in (NLMSG_DONE, NLMSG_ERROR):
                    code = error_of(got.body)
                    if code in fine:
                        return []
                    if code:
                        raise NetlinkRefused(code, what)
                    return None if torn else bodies
                bodies.append(got.body)

    def _drain(self) -> None:
        """Throw away what an interrupted exchange left behind."""
        while True:
            try:
                self.socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
