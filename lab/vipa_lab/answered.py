"""Many short flows from one machine: a datagram each, from a port of its own, and who answered it.

What routers hash is addresses and ports, so these are what spreads over several next hops.
"""

import select
import socket
import time
from collections import Counter
from typing import Final

from vipa_lab.host import Host
from vipa_lab.pacing import ECHO_PORT
from vipa_lab.udp_probe import PAYLOAD

_AT_ONCE: Final = 64
"""Flows under way at a time: well below what a socket buffer, or a neighbour that is being resolved, holds."""
_TRY_S: Final = 0.5
_TRIES: Final = 4
"""A flow is asked again: the first datagrams pay for ARP, and the kernel keeps only some that wait for it."""


def answered_by(host: Host, target: str, count: int, port: int = ECHO_PORT) -> Counter[str]:
    """How many of ``count`` flows from ``host`` to ``target`` which node answered; "" for nobody."""
    found: Counter[str] = Counter()
    for first in range(0, count, _AT_ONCE):
        found += host.namespace.call(lambda first=first: _ask(target, port, min(_AT_ONCE, count - first)))  # type: ignore[misc]
    return found


def _ask(target: str, port: int, count: int) -> Counter[str]:
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    waiting: dict[int, socket.socket] = {}
    found: Counter[str] = Counter()
    try:
        for _ in range(count):
            sock = socket.socket(family, socket.SOCK_DGRAM)
            waiting[sock.fileno()] = sock
            sock.connect((target, port))
        for _ in range(_TRIES):
            found += _try(waiting)
            if not waiting:
                break
    finally:
        for sock in waiting.values():
            sock.close()
    found[""] += len(waiting)
    return +found


def _try(waiting: dict[int, socket.socket]) -> Counter[str]:
    """Ask all that wait once; who answered is taken out."""
    found: Counter[str] = Counter()
    for sock in waiting.values():
        try:
            sock.send(PAYLOAD.pack(0, 0.0))
        except OSError:  # no neighbour, no route: as good as lost
            continue
    until_s = time.monotonic() + _TRY_S
    while waiting and (left_s := until_s - time.monotonic()) > 0:
        for fd in select.select(list(waiting), [], [], left_s)[0]:
            try:
                data = waiting[fd].recv(2048)
            except OSError:  # an ICMP error about what was sent before
                continue
            found[data[PAYLOAD.size :].decode()] += 1
            waiting.pop(fd).close()
    return found
