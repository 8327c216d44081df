"""Carries out the election's actions on kernel and wire; answers go straight back into the election."""

from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from vipa.election import actions, events
from vipa.election.elector import Elector
from vipa.election.states import State
from vipa.reasons import Reason
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.metrics import Metrics
from vipa_agent.wire.mux import Mux

log = structlog.get_logger()

_NEWS: Final = frozenset({State.IDLE, State.CLAIMING, State.RECEIVING, State.HOLDER, State.YIELDING})
"""States whose coming or going people hear of."""


class Executor:
    """The only place where actions become system calls. ``guarded`` is told the (interface, address) pairs of the
    service endpoints; ``stopped`` when shutdown is complete; ``happened`` of all that is for people."""

    def __init__(
        self,
        elector: Elector,
        kernel: Kernel,
        mux: Mux,
        metrics: Metrics,
        guarded: Callable[[tuple[tuple[str, str], ...]], None],
        stopped: Callable[[], None],
        happened: Callable[[actions.Transition | actions.Notice], None],
    ) -> None:
        self._elector = elector
        self._kernel = kernel
        self._mux = mux
        self._metrics = metrics
        self._guarded = guarded
        self._stopped = stopped
        self._happened = happened
        self._queue: deque[events.Event] = deque()
        self._running = False

    def step(self, event: events.Event) -> None:
        """One input into the election and everything that follows from it, strictly one after the other: every action
        of a step is done before the next step, so the election never decides on a kernel that lags behind it."""
        self._queue.append(event)
        if self._running:
            return
        self._running = True
        try:
            while self._queue:
                self._one(self._queue.popleft())
        finally:
            self._running = False

    def drain(self) -> bool:
        """Everything that waits on the sockets. Returns whether there was anything."""
        waiting = self._mux.drain()
        for event in waiting:
            self.step(event)
        return bool(waiting)

    def _one(self, event: events.Event) -> None:
        if isinstance(event, events.ClaimReady):
            for frame in self._mux.drain():  # the last look at the wire before the permit
                self._carry_out(self._elector.step(boottime_s(), frame))
        self._carry_out(self._elector.step(boottime_s(), event))

    def _carry_out(self, wanted: list[actions.Action]) -> None:
        for action in wanted:
            try:
                self._do(action)
            except KernelError as error:
                self._failed(action, error)

    def _do(self, action: actions.Action) -> None:
        match action:
            case actions.SendBeat():
                if boottime_s() >= action.valid_until:
                    return
                self._metrics.heartbeats("sent", self._mux.send_beat(action))
            case actions.Probe():
                self._mux.probe(action)
            case actions.Announce():
                for result, count in self._mux.announce(action).items():
                    self._metrics.announcements(action.interface, result, count)
            case actions.Move():
                self._move((action,))
            case actions.MoveTogether():
                self._move(action.moves)
            case actions.Bind():
                self._kernel.bind(action.addresses, action.interfaces)
            case actions.BeginClaim():
                ok = self._kernel.begin_claim(action.addresses, action.timeout_s)
                self.step(events.ClaimReady(action.vip, ok))
            case actions.Permit():
                ok, until = self._kernel.permit(action.addresses, action.interface, action.permit_s)
                self._queue.appendleft(events.Permitted(action.vip, action.interface, ok, until))
            case actions.Revoke():
                self._kernel.revoke(action.addresses, action.interface)
            case actions.Unbind():
                self._kernel.unbind(action.addresses)
            case actions.Renew():
                self._kernel.renew(dict(action.permits))
            case actions.Guard():
                self._kernel.guard(action.addresses, action.own)
                self._guarded(action.own)
            case actions.Transition() | actions.Notice():
                self._report(action)
            case actions.Stopped():
                self._stopped()

    def _move(self, moves: tuple[actions.Move, ...]) -> None:
        first = moves[0]
        addresses = [address for move in moves for address in move.addresses]
        ok, until = self._kernel.move(addresses, first.old, first.new, first.permit_s)
        if ok or len(moves) == 1:
            self._queue.extendleft(events.Permitted(move.vip, first.new, ok, until) for move in reversed(moves))
            return
        for move in moves:  # somebody took one of them away: the others are not to blame
            self._move((move,))

    def _failed(self, action: actions.Action, error: KernelError) -> None:
        """The kernel refused: said, and answered as a failure; other VIPs go on."""
        log.error("kernel refused", reason=Reason.KERNEL_REFUSED, action=type(action).__name__, error=str(error))
        match action:
            case actions.BeginClaim():
                self.step(events.ClaimReady(action.vip, False))
            case actions.Permit():
                self.step(events.Permitted(action.vip, action.interface, False))
            case actions.Move():
                self.step(events.Permitted(action.vip, action.new, False))
            case actions.MoveTogether():
                for move in action.moves:
                    self.step(events.Permitted(move.vip, move.new, False))

    def _report(self, action: actions.Transition | actions.Notice) -> None:
        self._happened(action)
        if isinstance(action, actions.Transition):
            # a spare's doubts that come to nothing are no news
            told = action.new in _NEWS or action.old in _NEWS
            if told:
                self._metrics.transition(action.vip, action.reason)
            (log.info if told else log.debug)(
                "transition",
                vip=action.vip,
                old=action.old,
                new=action.new,
                interface=action.interface,
                reason=action.reason,
                term=action.term,
            )
        else:
            log.info("notice", subject=action.subject, reason=action.reason, detail=action.detail)
