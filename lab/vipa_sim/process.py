"""One agent process: the event loop around the election core, with the weaknesses of the real shell.

A *turn* is what the loop does in one wake: internal news, then all frames, then ``TimerFired``; each action is carried
out as it comes, and a kernel transaction blocks the whole loop until it is committed. A frozen process keeps its
sockets' buffers and its unfinished turn; a killed one leaves its last transaction to the kernel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vipa.election import actions as act
from vipa.election import events as ev
from vipa.plan import Plan
from vipa_sim.audit import AUDIT_S, Audit
from vipa_sim.duties import Duties
from vipa_sim.lan import Beat
from vipa_sim.renewer import Renewer
from vipa_sim.stock import take_stock
from vipa_sim.transactions import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vipa_sim.lan import Frame
    from vipa_sim.machine import Machine, Nic

SOCKET_FRAMES = 256  # net.core.rmem_default 212992 bytes hold about this many small frames; newer ones are dropped
TURNS_AT_ONCE_MAX = 1000  # a core whose deadline never moves on would spin for ever


class Core(Protocol):
    """The election core's face."""

    def step(self, now: float, event: ev.Event) -> Sequence[act.Action]:
        """Take one event at CLOCK_BOOTTIME ``now``; what is to be done, in order."""

    def next_deadline(self) -> float | None:
        """When ``TimerFired`` is wanted next, or None."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one agent start from all others."""

    node: str
    incarnation: int
    boot_id: int
    cluster: str = ""


class Process:
    """The agent on ``machine``; runs from construction to :meth:`kill`, with freezes between."""

    def __init__(self, machine: Machine, core: Core) -> None:
        self.machine, self.core = machine, core
        self.world, self.engine = machine.world, machine.world.engine
        self.kernel, self.clock, self.delays = machine.kernel, machine.clock, machine.delays
        self.running, self.frozen = True, False
        self.renewer = Renewer(self)
        self.audit = Audit(self)
        self.plan = Plan()
        self._duties = Duties(self)
        self._news: deque[ev.Event | None] = deque()
        self._frames: deque[ev.Event] = deque()
        self._turn: Turn | None = None
        self._held_result: list[bool] = []
        self._wake_at = float("inf")
        self._wake_token = 0
        self._blocked_since: float | None = None
        self._next_stall = self.engine.now + self.delays.next_stall_s()
        self._reported: tuple[ev.LocalInterface, ...] | None = None
        self._turns_now = (0.0, 0)

    @property
    def now(self) -> float:
        """CLOCK_BOOTTIME of this node."""
        return self.clock.local(self.engine.now)

    def vip_addresses(self, vip: str) -> tuple[str, ...]:
        """Addresses of a VIP by the plan that this process heard of; empty when it is not in it."""
        return next((planned.addresses for planned in self.plan.vips if planned.name == vip), ())

    def start(self) -> None:
        """First turn: plan, interfaces, and what the kernel still serves from before (rule 8)."""
        self._turn = self._first_turn()
        self._drive(None)
        self.engine.after(AUDIT_S, self._audit_due)

    def _audit_due(self) -> None:
        if self.running:
            self.tell(None)
            self.engine.after(AUDIT_S, self._audit_due)

    def kill(self) -> None:
        """SIGKILL: nothing of the process happens any more; what the kernel was given stays."""
        self.running = False

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True
        self._block()

    def thaw(self) -> None:
        """SIGCONT: the renewal thread and the loop both go on where they were, in either order."""
        if not self.frozen:
            return
        self.frozen = False
        first = self.machine.delays.rng.random() < 0.5
        if first:
            self.renewer.thawed()
        if self._held_result:
            self._drive(self._held_result.pop())
        elif self._turn is None:
            self._wait()
        if not first:
            self.renewer.thawed()

    def silent_for_s(self) -> float:
        """World seconds since the loop last ticked (0 while it idles)."""
        return 0.0 if self._blocked_since is None else self.engine.now - self._blocked_since

    def hear(self, nic: Nic, frame: Frame) -> None:
        """A frame arrived at the packet socket of ``nic``."""
        if len(self._frames) >= SOCKET_FRAMES:
            return
        if isinstance(frame, Beat):
            self._frames.append(ev.BeatReceived(nic.name, frame.source_address, frame.source_mac, frame.payload))
        elif self.machine.owns_mac(frame.sender_mac):
            return  # the shell drops what its own interfaces sent
        else:
            self._frames.append(
                ev.ArpSeen(nic.name, frame.kind, frame.sender_mac, frame.sender_address, frame.target_address)
            )
        self._ask_wake(self.engine.now)

    def tell(self, event: ev.Event | None) -> None:
        """News from inside the node; None means "look again at what the kernel has"."""
        self._news.append(event)
        self._ask_wake(self.engine.now)

    # The loop

    def _ask_wake(self, ready_s: float) -> None:
        if self.frozen or not self.running or self._turn is not None:
            return
        wake_at = max(ready_s, self.engine.now) + self.delays.wake_s()
        if wake_at < self._wake_at:
            self._wake_at = wake_at
            self._wake_token += 1
            self.engine.at(wake_at, self._wake, self._wake_token)

    def _wake(self, token: int) -> None:
        if token != self._wake_token or self.frozen or not self.running or self._turn is not None:
            return
        now = self.engine.now
        if now >= self._next_stall:
            self._block()
            until = now + self.delays.stall_s()
            self._next_stall = until + self.delays.next_stall_s()
            self._wake_at = until
            self.engine.at(until, self._wake, token)
            return
        self._blocked_since = None
        self._wake_at = float("inf")
        self._turn = self._whole_turn()
        self._drive(None)

    def _sleep(self) -> None:
        """Wait for the core's deadline, or go on at once when something arrived meanwhile."""
        self._blocked_since = None
        self._wait()

    def _wait(self) -> None:
        self._wake_at = float("inf")
        self._wake_token += 1
        if self._news or self._frames:
            self._ask_wake(self.engine.now)
        deadline = self.core.next_deadline()
        if deadline is not None:
            self._ask_wake(self.clock.world(deadline))

    def _block(self) -> None:
        if self._blocked_since is None:
            self._blocked_since = self.engine.now

    def _drive(self, result: bool | None) -> None:
        """Run the turn up to its next kernel transaction, or to its end."""
        assert self._turn is not None
        try:
            delay_s, effect = self._turn.send(result)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration:
            self._turn = None
            if self.running and not self.frozen:
                self._sleep()
            return
        self._block()
        self.engine.after(delay_s, self._committed, effect)

    def _committed(self, effect: Callable[[], bool]) -> None:
        """The transaction is done whatever became of the process; a frozen one learns of it when thawed."""
        if not self.machine.runs(self.kernel):
            return
        result = effect()
        self.world.judge.look("kernel")
        if not self.running:
            return
        if self.frozen:
            self._held_result.append(result)
        else:
            self._blocked_since = None
            self._drive(result)

    # Turns

    def _first_turn(self) -> Turn:
        held = yield from take_stock(self, self._duties)
        yield from self._step(ev.PlanChanged(self.machine.plan))
        yield from self._look_at_interfaces()
        for event in held:
            yield from self._step(event)

    def until(self, permit_s: float) -> float:
        """World time at which an element set now ends."""
        return self.engine.now + permit_s / self.clock.rate

    def _whole_turn(self) -> Turn:
        at, turns = self._turns_now
        self._turns_now = (self.engine.now, turns + 1) if at == self.engine.now else (self.engine.now, 1)
        if turns > TURNS_AT_ONCE_MAX:
            raise RuntimeError(f"{self.machine.name}: the core's deadline {self.core.next_deadline()} never moves on")
        while self._news:
            event = self._news.popleft()
            if event is None:
                if (yield from self.audit.mend(self._duties)):
                    yield from self._step(ev.GateLost())
                yield from self._look_at_interfaces()
            else:
                yield from self._step(event)
        yield from self._drain()
        yield from self._step(ev.TimerFired())

    def _drain(self) -> Turn:
        while self._frames:
            yield from self._step(self._frames.popleft())

    def _look_at_interfaces(self) -> Turn:
        seen = self.machine.interfaces()
        if seen != self._reported:
            self._reported = seen
            yield from self._step(ev.InterfacesChanged(seen))

    def _step(self, event: ev.Event) -> Turn:
        """One input and all that follows, strictly one after the other: every action of a step is done before the
        next step, so the core never decides on a kernel that lags behind it."""
        yield from self._once(event)
        answers = self._duties.answers
        while answers:
            answer = answers.popleft()
            if isinstance(answer, ev.ClaimReady) or (isinstance(answer, ev.Answers) and _begun(answer)):
                while self._frames:
                    yield from self._once(self._frames.popleft())
            yield from self._once(answer)

    def _once(self, event: ev.Event) -> Turn:
        if isinstance(event, ev.PlanChanged):
            self.plan = event.plan
        try:
            actions = self.core.step(self.now, event)
        except Exception as error:  # a defect of the core: the process dies of it, and the run has failed
            self.world.judge.accuse(f"{self.machine.name}: {type(error).__name__}: {error} at {event}")
            self.machine.kill()
            return
        for action in actions:
            if not self.running:
                return
            yield from self._duties.perform(action)


def _begun(answers: ev.Answers) -> bool:
    """Whether it is claims that these tell of: the last look at the wire comes before the permit."""
    return isinstance(answers.events[0], ev.ClaimReady)
