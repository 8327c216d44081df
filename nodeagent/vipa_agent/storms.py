"""ARP and ND sockets, waited for one by one: at once on a quiet LAN, by the clock while it storms.

Waking costs more than what is read (docs/design/0001-proofs.md), and a busy LAN has 1,000 ARP frames a second. So a
socket that wakes the loop too often is left alone for a moment, as network drivers do with interrupts (NAPI). Nothing
is concluded meanwhile that a waiting frame could change: every turn of the loop drains all sockets first.
"""

import asyncio
from collections.abc import Callable
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Final

from vipa.election import stations
from vipa.election.node import Node
from vipa_agent.wire.nic import NicSocket
from vipa_agent.wire.sieve import Sieve

BUSY_FRAMES: Final = 5
"""More frames than this in one pause are a storm: 250 a second. Quiet LANs have tens, and this node's own questions are
answered by a few."""

PAUSE_S: Final = 0.020
"""As often as heartbeats wake the loop at Default. A rival is seen this much later, of the one second promised."""


class Storms:
    """``readable`` is called when something waits on a socket."""

    def __init__(self, readable: Callable[[], None]) -> None:
        self._readable = readable
        self._loop = asyncio.get_running_loop()
        self._since: dict[NicSocket, tuple[float, int]] = {}
        self._paused: set[NicSocket] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, socket: NicSocket) -> None:
        """Wait for ARP on this socket."""
        self._since[socket] = self._loop.time(), socket.arp_read
        for fileno in socket.arp_filenos():
            self._loop.add_reader(fileno, self._woken, socket)

    def unwatch(self, socket: NicSocket) -> None:
        """It is about to be closed."""
        self._leave(socket)
        self._paused.discard(socket)
        self._since.pop(socket, None)

    def stop(self) -> None:
        """Wait for nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        for socket in list(self._since):
            self.unwatch(socket)

    def _woken(self, socket: NicSocket) -> None:
        self._readable()
        if socket not in self._since:  # closed by what was read
            return
        now_s, (since_s, before) = self._loop.time(), self._since[socket]
        if now_s - since_s >= PAUSE_S:
            self._since[socket] = now_s, socket.arp_read
        if socket.arp_read - before > BUSY_FRAMES * max(1.0, (now_s - since_s) / PAUSE_S):
            self._leave(socket)
            self._paused.add(socket)
            if self._timer is None:
                self._timer = self._loop.call_later(PAUSE_S, self._resume)

    def _leave(self, socket: NicSocket) -> None:
        for fileno in socket.arp_filenos():
            self._loop.remove_reader(fileno)

    def _resume(self) -> None:
        """All at once: one turn for all of them."""
        self._timer = None
        paused, self._paused = self._paused, set()
        for socket in paused:
            self.watch(socket)


def sieve_of(node: Node) -> Sieve:
    """What this node's election looks at."""

    def matters(address: bytes) -> bool:
        return (text := _text(address)) in node.by_address or text in node.peer_addresses

    def heeds_ours(address: bytes) -> bool:
        return stations.heeds_ours(node, _text(address))

    return Sieve(matters, lambda mac: mac.hex(":") in node.our_macs, heeds_ours)


def _text(address: bytes) -> str:
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)
