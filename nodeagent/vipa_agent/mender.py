"""What other programs remove or change of ours is put back: at once, or by :mod:`vipa_agent.repairs` later.

Events say when to look (vipa_agent.kernel.nftwatch, vipa_agent.kernel.links); a look now and then finds what no event
told. While something waits on which answers depend, its interfaces are spoiled: the election takes them for unhealthy,
so that an adapter or a node where nobody meddles serves.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

import structlog

from vipa.election.events import LocalInterface
from vipa.reasons import Reason
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.kernel.nftwatch import NftWatch
from vipa_agent.metrics import Metrics
from vipa_agent.repairs import Repairs

log = structlog.get_logger()

PAUSE_S: Final = 0.05
"""How long nobody listens after another program's change of our tables: who meddles in a loop is looked at by the
clock, and a program that changes much at once is looked at when it is done."""

REST: Final = 20
REST_S_MAX: Final = 0.08
"""A look at all addresses and routes rests for so many times what it took, since with thousands of virtual IPs it takes
20 ms, and all of them move at once now and then. It rests for less than the first wait of a repair
(:data:`vipa_agent.repairs.FIRST_S`), or what is removed in a loop would never be found to be removed again."""

_WAYS: Final = frozenset({"table inet vipa"})
"""Without it replies take a wrong way; without the others anybody may answer."""


class Mender:
    """``guard`` makes gate and ways of replies what they should be. ``service`` tells the service interfaces, none
    before the first plan; ``changed`` is called when some are spoiled, or no longer; ``gate_lost`` when nothing is
    elected any more."""

    def __init__(
        self,
        kernel: Kernel,
        metrics: Metrics,
        guard: Callable[[], None],
        service: Callable[[], frozenset[str]],
        changed: Callable[[], None],
        gate_lost: Callable[[], None],
    ) -> None:
        self._kernel = kernel
        self._metrics = metrics
        self._guard = guard
        self._service = service
        self._changed = changed
        self._gate_lost = gate_lost
        self._loop = asyncio.get_running_loop()
        self._watch: NftWatch | None = None
        self._resume: asyncio.TimerHandle | None = None
        self._next: asyncio.TimerHandle | None = None
        self._rests_until = 0.0
        self._touched: set[str] = set()
        self._blamed = False
        self._lost: dict[str, str] = {}
        """Addresses that somebody removed, by name, and their interfaces."""
        self._fence_open = False
        self._spoiled: frozenset[str] = frozenset()
        self.repairs = Repairs()

    def start(self) -> None:
        """Follow what others do to our tables."""
        self._watch = NftWatch()
        self._listen()

    def stop(self) -> None:
        """Put back nothing any more."""
        for timer in (self._resume, self._next):
            if timer is not None:
                timer.cancel()
        if self._watch is not None:
            self._loop.remove_reader(self._watch.fileno())
            self._watch.close()
            self._watch = None

    def blame(self) -> None:
        """Another program removed a rule or route of ours. (The kernel itself removes routes, with a link.)"""
        self._blamed = True

    def look(self) -> None:
        """Find what is missing, and put back what may be; addresses and routes when that look has rested."""
        service = self._service()
        if not service:
            return
        now = boottime_s()
        try:
            self._tables(now)
            if self._loop.time() >= self._rests_until:
                self._look_at_all(now)
            elif self._next is None:
                self._next = self._loop.call_at(self._rests_until, self._rested)
        except KernelError as error:  # removed again at this very moment: the next look sees how it ended
            log.warning("not put back yet", error=str(error))
        self.repairs.forget(now)
        lost = frozenset(self._lost[r.what] for r in self.repairs.waiting() if r.spoils and r.what in self._lost)
        spoiled = service if self._fence_open else service & lost
        if spoiled != self._spoiled:
            self._spoiled = spoiled
            self._changed()

    def _rested(self) -> None:
        self._next = None
        self.look()

    def _look_at_all(self, now: float) -> None:
        begun = self._loop.time()
        try:
            try:
                self._ways(now)
            finally:  # a setting that is refused is no reason to leave addresses as they are
                self._addresses(now)
        finally:
            ended = self._loop.time()
            self._rests_until = ended + min(REST * (ended - begun), REST_S_MAX)

    def judged(self, interfaces: Iterable[LocalInterface]) -> tuple[LocalInterface, ...]:
        """The same, the spoiled ones marked."""
        return tuple(replace(i, spoiled=True) if i.name in self._spoiled else i for i in interfaces)

    def _listen(self) -> None:
        assert self._watch is not None
        self._resume = None
        self._loop.add_reader(self._watch.fileno(), self._heard, self._watch)

    def _heard(self, watch: NftWatch) -> None:
        touched = watch.drain()
        if touched:
            self._touched |= touched
            self._loop.remove_reader(watch.fileno())
            self._resume = self._loop.call_later(PAUSE_S, self._listen)
            self.look()

    def _tables(self, now: float) -> None:
        self._touched |= self._kernel.gone()
        if not self._touched:
            return
        waits = [what for what in sorted(self._touched) if not self.repairs.due(what, now)]
        if waits:
            if self._touched - _WAYS and not self._fence_open:
                self._fence_open = True
                log.warning("no virtual IP is bound until it is put back", reason=Reason.REMOVED_AGAIN, what=waits)
                self._kernel.open_fence()
                self._gate_lost()
            return
        try:
            self._kernel.mend()
        except KernelError:
            self._gate_lost()
            raise
        self._fence_open = False
        for what in sorted(self._touched):
            self._done(what, now)
        self._touched.clear()

    def _ways(self, now: float) -> None:
        what = self._kernel.lacking()
        if not what:
            self._blamed = False
        elif what.startswith("route ") and not self._blamed:
            self._guard()
            log.info("routes of replies completed", what=what)
        elif self.repairs.due(what, now):
            try:
                self._guard()
            except KernelError:
                self.repairs.refuse(what, now)
                raise
            self._done(what, now)

    def _addresses(self, now: float) -> None:
        if self._fence_open:
            return
        lost = {(address, name) for address, names in self._kernel.lost().items() for name in names}
        for address, interface in sorted(lost):
            what = f"address {address} on {interface}"
            self._lost[what] = interface
            if self.repairs.due(what, now):
                self._bind(what, address, interface, now)
        missing = {f"address {address} on {interface}" for address, interface in lost}
        waiting = {repair.what for repair in self.repairs.waiting()}
        for what in waiting & self._lost.keys() - missing:  # unbound meanwhile: the election has let go
            self.repairs.let_go(what, now)
        self._lost = {what: name for what, name in self._lost.items() if what in waiting}

    def _bind(self, what: str, address: str, interface: str, now: float) -> None:
        """What cannot be put back (a guest's bridge is gone, say) holds nothing else up."""
        try:
            self._kernel.rebind(address, (interface,))
        except KernelError as error:
            repair = self.repairs.refuse(what, now)
            log.warning("not put back", reason=repair.reason, what=what, error=str(error), next_s=repair.wait_s)
        else:
            self._done(what, now)

    def _done(self, what: str, now: float) -> None:
        repair = self.repairs.put_back(what, now)
        self._metrics.repaired(what.partition(" ")[0])
        log.warning("put back", reason=repair.reason, what=what, times=repair.times, next_s=repair.wait_s)
