"""Turns of the loop: what came in goes into the election, then the agent sleeps until the next deadline.

A turn costs more than what is done in it: an idle processor has lost its caches when it is woken. So each turn takes in
all that waits, on every socket, and polls the carriers when that is nearly due.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from vipa.election.elector import Elector
from vipa.election.events import (
    ChecksChanged,
    GateLost,
    GuestsChanged,
    KeysChanged,
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
from vipa_agent.nics import Nics
from vipa_agent.storms import Storms
from vipa_agent.wire.nic import NicSocket

ROUNDS_MAX: Final = 8
"""Looks at the sockets in one turn: four peers answer one beat within two or three; a flood must not keep the timer."""

News = TimerFired | StopAsked | PlanChanged | PermitLapsed | GateLost | KeysChanged | ChecksChanged | GuestsChanged
"""What begins a turn by itself."""


ROUNDS_S: Final = 0.005
"""And no further look after this long: a third of Fast's silence."""


class Turns:
    """``renewed`` is where the renewal thread leaves its news: interface → end of permit, CLOCK_BOOTTIME. ``awake``:
    told that now is as good as a moment later. ``after`` is called at the end of each turn."""

    def __init__(
        self,
        elector: Elector,
        executor: Executor,
        kernel: Kernel,
        nics: Nics,
        metrics: Metrics,
        renewed: dict[str, float],
        awake: Callable[[float], None],
        after: Callable[[], None],
    ) -> None:
        self._awake = awake
        self._elector = elector
        self._executor = executor
        self._kernel = kernel
        self._nics = nics
        self._metrics = metrics
        self._renewed = renewed
        self._after = after
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due_at: float | None = None
        self._wake_at = float("-inf")
        self._over = False
        self._storms = Storms(self._readable)

    def wake(self, event: News) -> None:
        """Everything that waits, oldest first, then ``event``; then sleep until the next deadline."""
        if self._over:
            return
        now = boottime_s()
        if self._due_at is not None:
            self._metrics.lateness(max(now - self._due_at, 0.0))
        self._take_in()
        self._executor.step(event)
        self._end()

    def sleep(self) -> None:
        """Set the timer to the election's next deadline or the next poll; most frames leave it where it was."""
        self._after()
        self._due_at = self._elector.next_deadline()
        wake_at = min(self._due_at or float("inf"), self._nics.poll_at)
        if (wake_at == self._wake_at and self._timer is not None) or self._over:
            return
        self._cancel()
        self._wake_at = wake_at
        self._timer = self._loop.call_later(max(wake_at - boottime_s(), 0.0), self._timed)

    def stop(self) -> None:
        """Nothing goes into the election any more."""
        self._over = True
        self._cancel()
        self._storms.stop()

    def opened(self, socket: NicSocket) -> None:
        """A packet socket to wait on."""
        for fileno in socket.beat_filenos():
            self._loop.add_reader(fileno, self._readable)
        self._storms.watch(socket)

    def closing(self, socket: NicSocket) -> None:
        """A packet socket about to be closed."""
        for fileno in socket.beat_filenos():
            self._loop.remove_reader(fileno)
        self._storms.unwatch(socket)

    def _readable(self) -> None:
        if self._over:
            return
        self._take_in()
        self._end()

    def _timed(self) -> None:
        self._timer = None
        if self._due_at is not None and boottime_s() >= self._due_at:
            self.wake(TimerFired())
        else:
            self._readable()

    def _take_in(self) -> None:
        """All that waits: what comes while it is worked on belongs to the same turn."""
        self._kernel.tick()
        self._take_renewals()
        rounds, until = ROUNDS_MAX, boottime_s() + ROUNDS_S
        while self._executor.drain() and (rounds := rounds - 1) and boottime_s() < until:
            pass

    def _end(self) -> None:
        now = boottime_s()
        self._nics.poll_soon(now)
        self._awake(now)
        self.sleep()

    def _take_renewals(self) -> None:
        while self._renewed:
            interface, until = self._renewed.popitem()
            self._executor.step(PermitRenewed(interface, until))

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
