"""This node's interfaces, as events say and as a poll every interval sees them.

The kernel can deliver a *down* up to one second late (docs/design/0003-kernel.md), so the carrier is also read each
interval. A carrier change takes the short way: the last snapshot with the new flag; everything else a full snapshot.
"""

from collections.abc import Callable
from dataclasses import replace

from vipa.election.events import LocalInterface
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.wire.nic import Nic


class Nics:
    """``changed`` is called with all interfaces whenever one differs from before."""

    def __init__(self, kernel: Kernel, changed: Callable[[tuple[LocalInterface, ...]], None]) -> None:
        self._kernel = kernel
        self._changed = changed
        self.interfaces: tuple[LocalInterface, ...] = ()
        self.indexes: dict[str, int] = {}
        self._polled: dict[int, tuple[bool, bool] | None] = {}
        self.service: frozenset[str] = frozenset()
        """Names of interfaces with a service endpoint: only these are polled."""

    def resync(self) -> bool:
        """Read everything anew; tells the owner when it differs. Returns whether an ifindex changed."""
        self._polled = {}
        interfaces = self._kernel.snapshot()
        indexes = self._kernel.links.indexes()
        known = {i.name for i in interfaces}
        moved = {n: i for n, i in indexes.items() if n in known} != self.indexes
        self.indexes = {n: i for n, i in indexes.items() if n in known}
        if interfaces != self.interfaces or moved:
            self.interfaces = interfaces
            self._changed(interfaces)
        return moved

    def poll(self) -> None:
        """Read carrier and IFF_UP of the service interfaces; about 15 µs each."""
        names = {self.indexes[n]: n for n in self.service if n in self.indexes}
        if not names:
            return
        states = self._kernel.links.poll(names)
        if states == self._polled:
            return
        self._polled = states
        if any(state is None for state in states.values()):
            self.resync()
            return
        seen = {names[index]: state for index, state in states.items() if state is not None}
        fresh = tuple(
            replace(i, up=seen[i.name][0], carrier=seen[i.name][1]) if i.name in seen else i for i in self.interfaces
        )
        if fresh != self.interfaces:
            self.interfaces = fresh
            self._changed(fresh)

    def wire(self) -> list[Nic]:
        """The service interfaces as the wire needs them."""
        return [
            Nic(i.name, self.indexes[i.name], i.mac, tuple(a.partition("/")[0] for a in i.addresses))
            for i in self.interfaces
            if i.name in self.service and i.name in self.indexes and i.up
        ]
