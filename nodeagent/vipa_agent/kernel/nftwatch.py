"""Who else touches our tables: nf_tables' own notifications, filtered in the kernel.

The kernel tells of every transaction, ours too: ten renewals a second, and a flood where kube-proxy works. A filter on
the socket drops what came from this process's busy sockets before it wakes anybody; what is left is only searched for
our tables' name. Lost notifications count as a change of everything.
"""

import ctypes
import errno
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final

from vipa_agent.kernel.netlink import (
    ATTRIBUTE,
    NETLINK_NETFILTER,
    RECEIVE_BYTES,
    NetlinkSocket,
    attribute_text,
    messages,
)
from vipa_agent.kernel.nfnl import NFPROTO_INET
from vipa_agent.kernel.sets import GATE_TABLES, TABLE

DRAIN_MAX: Final = 64
"""Datagrams read in one go: another program's large transaction must not keep the loop from its timers. Each holds some
thousand bytes and takes a few microseconds."""

_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_GROUP: Final = 7  # NFNLGRP_NFTABLES
_NEW_GENERATION: Final = 10 << 8 | 15
"""NFT_MSG_NEWGEN ends each transaction's notifications and names no table."""
_TYPE_AT, _PORT_AT = 4, 12
"""Of struct nlmsghdr; the port is that of the socket that sent the transaction (nf_tables_api.c, ctx->portid)."""
_PORT: Final = struct.Struct("=I")
_FAMILIES: Final = {number: family for family, number in GATE_TABLES.items()} | {NFPROTO_INET: "inet"}
_NAMED: Final = attribute_text(1, TABLE)[: ATTRIBUTE.size + len(TABLE) + 1]
"""Attribute 1 of every such message is its table's name."""
_NAMED_AT: Final = 4
"""After struct nfgenmsg."""

EVERYTHING: Final = frozenset(f"table {family} {TABLE}" for family in _FAMILIES.values())
"""What a loss of notifications stands for."""

_SO_ATTACH_FILTER: Final = 26  # include/uapi/asm-generic/socket.h
_LD_H, _LD_W, _JEQ, _RET = 0x28, 0x20, 0x15, 0x06  # include/uapi/linux/bpf_common.h
_WHOLE: Final = 0xFFFFFFFF


class NftWatch:
    """For ``loop.add_reader(watch.fileno(), …)``. To be made when all sockets of this process that change tables are
    open: what they do is not told."""

    def __init__(self, receive_bytes: int | None = None) -> None:
        self._netlink = NetlinkSocket(NETLINK_NETFILTER)
        sock = self._netlink.socket
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        _attach(sock, _filter(own_ports()))
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)  # last: nothing unfiltered ever comes in

    def fileno(self) -> int:
        """Descriptor to wait on for reading."""
        return self._netlink.socket.fileno()

    def drain(self) -> frozenset[str]:
        """Tables of ours that another program changed, as "table arp vipa"; never blocks."""
        touched: set[str] = set()
        for _ in range(DRAIN_MAX):
            try:
                datagram = self._netlink.socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                touched |= EVERYTHING
                continue
            if _NAMED in datagram and _PORT.unpack_from(datagram, _PORT_AT)[0] not in own_ports():
                named = (m for m in messages(datagram) if m.body.startswith(_NAMED, _NAMED_AT))
                touched |= {f"table {_FAMILIES[m.body[0]]} {TABLE}" for m in named if m.body[0] in _FAMILIES}
        return frozenset(touched)

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()


def own_ports() -> frozenset[int]:
    """Netlink ports of this process's netfilter sockets; libnftables does not tell its own, the kernel does."""
    found: set[int] = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile, as the folder's own is
            if str(entry.readlink()).startswith("socket:"):
                with socket.socket(fileno=os.dup(int(entry.name))) as copy:
                    if copy.family == socket.AF_NETLINK and copy.proto == NETLINK_NETFILTER:
                        found.add(copy.getsockname()[0])
    return frozenset(found)


def _filter(ports: frozenset[int]) -> bytes:
    """A classic BPF program: drop what these ports sent, and the ends of transactions. Loads are big-endian."""
    unwanted = [(_PORT_AT, _LD_W, int.from_bytes(_PORT.pack(port), "big")) for port in sorted(ports)]
    unwanted.append((_TYPE_AT, _LD_H, int.from_bytes(struct.pack("=H", _NEW_GENERATION), "big")))
    code: list[tuple[int, int, int, int]] = []
    for at, load, value in unwanted:
        code += [(load, 0, 0, at), (_JEQ, 0, 1, value), (_RET, 0, 0, 0)]
    code.append((_RET, 0, 0, _WHOLE))
    return b"".join(struct.pack("@HBBI", *step) for step in code)


def _attach(sock: socket.socket, program: bytes) -> None:
    # struct sock_fprog holds a pointer; the kernel copies the program during the call.
    buffer = ctypes.create_string_buffer(program, len(program))
    length = len(program) // struct.calcsize("@HBBI")
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", length, ctypes.addressof(buffer)))
