"""This node's interfaces, as events say and as a poll sees them.

The kernel tells of a carrier at once when no carrier changed in the second before, and up to one second late otherwise
(linkwatch; docs/design/0003-kernel.md). So the carrier is also read: often in the time when events may be late, and
seldom else, since waking alone costs more than reading. A carrier change takes the short way: the last snapshot with
the new flag; everything else a full snapshot.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from vipa.election.events import LocalInterface
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.wire.nic import Nic

ALERT_POLL_S: Final = 0.005
"""Poll while events may be late: 2.5 ms on average of the 5 ms promised for the client's gap after a carrier loss."""

ALERT_S: Final = 1.1
"""How long events may be late after one: linkwatch holds them back for one second (HZ in net/core/link_watch.c), and a
little for a loop that was held up."""

POLL_S: Final = 0.025
"""Poll when all was quiet. The first event comes at once then; this bounds what another network namespace, whose events
the kernel counts too but nobody here sees, can hold back. Longer than the beats of Default, with which it goes."""

POLL_EARLY_S: Final = 0.010
"""A poll may come this much earlier, in a turn of the loop that something else began: heartbeats come every 20 to 22 ms
at Default, and waking costs more than polling."""


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
        self._alert_until = float("-inf")
        self.poll_at = float("-inf")
        """Poll then at the latest, CLOCK_BOOTTIME."""

    def alert(self, now: float) -> None:
        """An event came, so the next ones may be late: poll now, and often for a while."""
        self._alert_until = now + ALERT_S
        self._poll_now(now)

    def poll_soon(self, now: float) -> None:
        """Poll when it is due or nearly due: the processor is awake."""
        if now >= self.poll_at - POLL_EARLY_S:
            self._poll_now(now)

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

    def _poll_now(self, now: float) -> None:
        self.poll_at = now + (ALERT_POLL_S if now < self._alert_until else POLL_S)
        self.poll()

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
            Nic(i.name, self.indexes[i.name], i.mac, tuple(a.partition("/")[0] for a in i.addresses), i.forwards)
            for i in self.interfaces
            if i.name in self.service and i.name in self.indexes and i.up
        ]
