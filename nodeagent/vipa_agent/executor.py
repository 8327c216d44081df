"""Carries out the election's actions on kernel and wire; answers go straight back into the election."""

from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from vipa.election import actions, events
from vipa.election.elector import Elector
from vipa.election.states import State
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.metrics import Metrics
from vipa_agent.transactions import Transactions, say
from vipa_agent.wire.mux import Mux

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
        self._transactions = Transactions(kernel)
        # Made once: thousands of lines a second are written while all move.
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger().bind()
        self._queue: deque[events.Event] = deque()
        self._claims: deque[tuple[actions.OfVip, ...]] = deque()
        """Claim elements to be set: one transaction after the other, each with its permit before the next."""
        self._running = False

    def step(self, event: events.Event) -> None:
        """One input into the election and everything that follows from it, strictly one after the other: every action
        of a step is done before the next step, so the election never decides on a kernel that lags behind it."""
        self._queue.append(event)
        if self._running:
            return
        self._running = True
        try:
            while self._queue or self._claims:
                if self._queue:
                    self._one(self._queue.popleft())
                else:
                    self._claim(self._claims.popleft())
        finally:
            self._running = False

    def drain(self) -> bool:
        """Everything that waits on the sockets. Returns whether there was anything."""
        waiting = self._mux.drain()
        own = self._elector.node.own_macs
        for event in waiting:
            if not isinstance(event, events.ArpSeen) or event.sender_mac not in own:  # said by our other adapter
                self.step(event)
        return bool(waiting)

    def _one(self, event: events.Event) -> None:
        self._kernel.tick()  # a loop that takes in much is not hung
        if isinstance(event, events.ClaimReady | events.Answers) and not isinstance(_first(event), events.Permitted):
            self._look()  # the last one at the wire before the permit
        self._carry_out(self._elector.step(boottime_s(), event))

    def _look(self) -> None:
        for frame in self._mux.drain():
            self._carry_out(self._elector.step(boottime_s(), frame))

    def _claim(self, wanted: tuple[actions.OfVip, ...]) -> None:
        """Claim elements live for a moment. What had to be done before has let frames pile up: taken in after the
        elements are set, they would outlast them."""
        self._look()
        self._together(wanted)

    def _carry_out(self, every: list[actions.Action]) -> None:
        for action in every:
            if isinstance(action, actions.OfVip | actions.Together):
                wanted: tuple[actions.OfVip, ...] = (
                    action.actions if isinstance(action, actions.Together) else (action,)
                )
                if isinstance(wanted[0], actions.BeginClaim):
                    self._claims.append(wanted)
                else:
                    self._together(wanted)
            else:
                try:
                    self._do(action)
                except KernelError as error:
                    say(action, error)

    def _do(self, action: actions.Action) -> None:
        match action:
            case actions.SendBeat():
                if boottime_s() >= action.valid_until:
                    return
                self._metrics.heartbeats("sent", self._mux.send_beat(action))
            case actions.Probe():
                self._mux.probe(action)
            case actions.Announce():
                for result in self._mux.announce(action):
                    self._metrics.announcements(action.interface, result)
            case actions.Renew():
                self._kernel.renew(dict(action.permits))
            case actions.Guard():
                self._kernel.guard(action.addresses, action.own, action.behind)
                self._guarded(action.own)
            case actions.Transition() | actions.Notice():
                self._report(action)
            case actions.Stopped():
                self._stopped()

    def _together(self, wanted: tuple[actions.OfVip, ...]) -> None:
        """Actions of one kind, as one transaction where it can be; one answer for all."""
        answers = self._transactions.do(wanted)
        if not answers:
            return
        event = answers[0] if len(answers) == 1 else events.Answers(answers)
        if isinstance(answers[0], events.Permitted):
            self._queue.appendleft(event)
        else:
            self._queue.append(event)

    def _report(self, action: actions.Transition | actions.Notice) -> None:
        self._happened(action)
        if isinstance(action, actions.Transition):
            # a spare's doubts that come to nothing are no news
            told = action.new in _NEWS or action.old in _NEWS
            if told:
                self._metrics.transition(action.vip, action.reason)
            # what comes of a claim follows at once, and writing is a part of what it costs
            (self._log.info if told and action.new is not State.CLAIMING else self._log.debug)(
                "transition",
                vip=action.vip,
                old=action.old,
                new=action.new,
                interface=action.interface,
                reason=action.reason,
                term=action.term,
            )
        else:
            self._log.info("notice", subject=action.subject, reason=action.reason, detail=action.detail)


def _first(event: events.ClaimReady | events.Answers) -> events.Event:
    return event.events[0] if isinstance(event, events.Answers) else event
