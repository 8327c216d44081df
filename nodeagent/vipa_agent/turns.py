"""Turns of the loop: what came in goes into the election, then the agent sleeps until the next deadline."""

import asyncio
from collections.abc import Callable, Sequence

from vipa.election.elector import Elector
from vipa.election.events import (
    ArpSeen,
    BeatReceived,
    PermitLapsed,
    PermitRenewed,
    PlanChanged,
    StopAsked,
    TimerFired,
)
from vipa_agent.executor import Executor
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.metrics import Metrics
from vipa_agent.wire.nic import NicSocket


class Turns:
    """``renewed`` is where the renewal thread leaves its news: interface → end of permit, CLOCK_BOOTTIME."""

    def __init__(
        self, elector: Elector, executor: Executor, kernel: Kernel, metrics: Metrics, renewed: dict[str, float]
    ) -> None:
        self._elector = elector
        self._executor = executor
        self._kernel = kernel
        self._metrics = metrics
        self._renewed = renewed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due_at: float | None = None
        self._over = False

    def wake(self, event: TimerFired | StopAsked | PlanChanged | PermitLapsed) -> None:
        """Everything that waits, oldest first, then ``event``; then sleep until the next deadline."""
        if self._over:
            return
        now = boottime_s()
        if self._due_at is not None:
            self._metrics.lateness(max(now - self._due_at, 0.0))
        self._kernel.tick()
        self._take_renewals()
        self._executor.drain()
        self._executor.step(event)
        self.sleep()

    def sleep(self) -> None:
        """Set the timer to the election's next deadline; most frames leave it where it was."""
        due_at = self._elector.next_deadline()
        if due_at == self._due_at and self._timer is not None:
            return
        self._cancel()
        self._due_at = due_at
        if due_at is not None and due_at != float("inf") and not self._over:
            self._timer = self._loop.call_later(max(due_at - boottime_s(), 0.0), self._due)

    def stop(self) -> None:
        """Nothing goes into the election any more."""
        self._over = True
        self._cancel()

    def opened(self, socket: NicSocket) -> None:
        """A packet socket to wait on."""
        beats, arp = socket.filenos()
        self._loop.add_reader(beats, self._readable, socket.drain_beats)
        self._loop.add_reader(arp, self._readable, socket.drain_arp)

    def closing(self, socket: NicSocket) -> None:
        """A packet socket about to be closed."""
        for fileno in socket.filenos():
            self._loop.remove_reader(fileno)

    def _readable(self, drain: Callable[[], Sequence[BeatReceived | ArpSeen]]) -> None:
        if self._over:
            return
        self._take_renewals()
        for event in drain():
            self._executor.step(event)
        self.sleep()

    def _due(self) -> None:
        self._timer = None
        self.wake(TimerFired())

    def _take_renewals(self) -> None:
        while self._renewed:
            interface, until = self._renewed.popitem()
            self._executor.step(PermitRenewed(interface, until))

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
