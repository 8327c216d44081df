"""UDP sockets that nobody reads: they own the heartbeat port, so that the kernel does not answer heartbeats.

Heartbeats are read from packet sockets, but the kernel's own IP layer sees them too. Without a socket on the port it
would send an ICMP "port unreachable" for each (rate-limited), and another program could take the port.
"""

import errno
import socket
from contextlib import ExitStack
from typing import Final

from vipa_agent.wire import bpf

_NO_IPV6: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""A kernel started with ipv6.disable=1; a network namespace where IPv6 is switched off for every interface."""


def open_sink(port: int) -> ExitStack:
    """Bind UDP ``port`` on all addresses with a filter that drops everything, so no buffer fills. To be closed.

    During an upgrade two agents run for a moment: both may bind it. OSError when another program has the port.
    """
    with ExitStack() as undo:
        undo.enter_context(_bind(socket.AF_INET, port))
        try:
            undo.enter_context(_bind(socket.AF_INET6, port))
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
        return undo.pop_all()


def _bind(family: int, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bpf.attach(sock, bpf.drop_all())
        sock.bind(("", port))
    except OSError:
        sock.close()
        raise
    return sock
