"""The election of one node: ``step(now, event) -> actions``, ``next_deadline()``.

No clock, socket or randomness inside: the asyncio shell and the simulator drive the same code. Each step looks at the
permits first (rule 6), then at its own lateness (rule 5, "distrust yourself first"), then the event, then settles.
"""

from dataclasses import replace
from itertools import islice
from operator import attrgetter

from vipa.election import (
    answers,
    checks,
    claim,
    configuring,
    copies,
    guests,
    handover,
    holders,
    holding,
    lateness,
    stations,
    stopping,
    waiting,
)
from vipa.election.actions import Action, Probe
from vipa.election.config import Config
from vipa.election.crowd import LOOKS_MIN
from vipa.election.events import (
    Answers,
    ArpSeen,
    BeatReceived,
    ChecksChanged,
    ClaimReady,
    Event,
    GateLost,
    GuestsChanged,
    HeldAtStart,
    HeldLast,
    InterfacesChanged,
    KeysChanged,
    LocalInterface,
    PermitLapsed,
    PermitRenewed,
    Permitted,
    PlanChanged,
    StopAsked,
    TimerFired,
)
from vipa.election.health import NEVER
from vipa.election.lineup import line_up
from vipa.election.node import Node
from vipa.election.receiving import Receiver, compare_plans
from vipa.election.sending import Sender
from vipa.election.states import State
from vipa.election.together import gathered
from vipa.election.vip import VipState
from vipa.election.wakes import Wakes
from vipa.reasons import Reason

__all__ = ["Config", "Elector"]

_in_order = attrgetter("order")


class Elector:
    """See the module. All times are seconds of the caller's CLOCK_BOOTTIME."""

    def __init__(self, config: Config) -> None:
        self.node = Node(config)
        self.receiver = Receiver(self.node)
        self.sender = Sender(self.node)
        self._wakes = Wakes(self.node)
        self._interfaces: tuple[LocalInterface, ...] = ()
        self._deadline: float | None = None
        self._deadline_stale = False
        self._settled_at = NEVER
        self._stepped_at = 0.0
        self._distrusted: float | None = None
        self._put_off: dict[str, None] = {}
        """Names that are due and not looked at yet, in order: one step looks at a few. Who becomes due just then goes
        before them, or those under way would wait for all that have not begun."""
        self._filled_at = NEVER
        """When a step began that put some off, if it was the last one."""

    def step(self, now: float, event: Event) -> list[Action]:
        """Take one input; returns what to do, in order."""
        node = self.node
        node.now = now
        node.out, node.claims = [], []
        # what the kernel did comes first, whatever the loop believes of itself
        if isinstance(event, PermitRenewed):
            answers.renewed(node, event)
        elif isinstance(event, Permitted | Answers):
            answers.permitted(node, event)
        answers.lapse(node, now)
        self._distrust(now, event)
        self._take(event)
        # most frames only confirm what is known: then there is nothing to settle, and of many frames in one go only
        # the last one's deadline is of interest
        if not isinstance(event, BeatReceived | ArpSeen) or self._unsettled():
            self._settle(event)
        self._deadline_stale = True
        self._stepped_at = now
        return node.out + gathered(node.claims)

    def next_deadline(self) -> float | None:
        """When to step ``TimerFired`` next; None before the first step."""
        if self._deadline_stale:
            self._deadline_stale = False
            self._deadline = self._soonest()
        return self._deadline

    # --- before the event

    def _distrust(self, now: float, event: Event) -> None:
        node = self.node
        # what was due when it was last computed can only have moved on since: frames that move it nearer settle
        if self._deadline is None or now - self._deadline <= lateness.LATE_S_MIN:
            return
        deadline = self.next_deadline()
        assert deadline is not None
        late_s = now - deadline
        if late_s <= lateness.LATE_S_MIN or (deadline == self._distrusted and not isinstance(event, TimerFired)):
            return  # of many frames after one lateness the first says it all, until the timer concludes
        self._distrusted = deadline
        lateness.distrust(node, late_s)

    # --- the event

    def _take(self, event: Event) -> None:
        node = self.node
        match event:
            case BeatReceived():
                self.receiver.beat(event)
            case ArpSeen():
                stations.seen(node, event)
            case TimerFired() | PermitRenewed() | Permitted():
                pass
            case PermitLapsed():
                answers.lapsed(node, event.interface)
            case GateLost():
                for vip in [vip for vip in node.vips.values() if vip.elected]:
                    node.listen(vip, Reason.PERMIT_LAPSED)
            case ClaimReady() | Answers():
                answers.ready(node, event)
            case PlanChanged():
                configuring.take_plan(node, event.plan)
                configuring.configure(node, self._interfaces)
            case InterfacesChanged():
                self._interfaces = event.interfaces
                configuring.configure(node, self._interfaces)
            case ChecksChanged():
                checks.take(node, event)
            case GuestsChanged():
                guests.take(node, event)
            case HeldAtStart():
                answers.held(node, event)
            case HeldLast(addresses):
                holders.restarted(node, addresses)
            case KeysChanged():
                node.config = replace(node.config, keys=event.keys)
                self.receiver.rekeyed()
            case StopAsked():
                stopping.ask(node)

    # --- after the event

    def _unsettled(self) -> bool:
        """Whether a frame changed anything that rules or peers must hear of, or sending is due anyway."""
        node = self.node
        return bool(
            node.dirty
            or node.roles_stale
            or node.role_changes
            or node.rates_stale
            or node.rate_changes
            or node.now >= self.sender.next_deadline()
            or not node.health.all_healthy
        )

    def _settle(self, event: Event) -> None:
        """Frames may wait on the sockets: nothing is concluded from silence before the timer, ahead of which the shell
        drains them; what the kernel says of a link counts at once."""
        node = self.node
        node.draining = draining = not isinstance(event, TimerFired)
        self._settled_at = node.now
        for endpoint in node.health.judge(node.now, only_better=draining):
            node.note(endpoint.reason, f"endpoint {endpoint.interface}", endpoint.address)
            node.urgent = True
            node.dirty.update(node.vips)
        if not draining:
            for endpoint, target in node.health.asks_due(node.now):
                node.emit(Probe(endpoint.interface, target, endpoint.address))
        changed = frozenset(node.dirty)
        if not draining:
            line_up(node, self._wakes)
        due, node.dirty = node.dirty, set()
        looks = LOOKS_MIN  # each of many frames may make all due
        if not draining:
            due.update(self._wakes.due(node.now))
            if self._put_off and self._filled_at != NEVER:
                node.measure.took(node.now - self._filled_at)
            looks = node.measure.looks
        for vip in sorted((node.vips[name] for name in due if name in node.vips), key=_in_order):
            if self._at_once(vip) or (looks := looks - 1) >= 0:
                self._put_off.pop(vip.name, None)
                self._look(vip, changed)
            else:
                self._put_off[vip.name] = None
        if not draining:
            # some in any case: who is under way may be due in each step
            for name in list(islice(self._put_off, max(looks, node.measure.looks // 4))):
                del self._put_off[name]
                if name in node.vips:
                    self._look(node.vips[name], changed)
        self._filled_at = node.now if self._put_off and not draining else NEVER
        copies.go(node)
        node.out = gathered(node.out)
        stopping.finish(node)
        self.sender.flush(more_frames=isinstance(event, BeatReceived | ArpSeen))

    def _look(self, vip: VipState, changed: frozenset[str]) -> None:
        """One virtual IP's turn; ``changed``: names whose role peers must hear of anyway."""
        node = self.node
        before = vip.state, vip.elected, vip.term, vip.suspicion is not None and vip.suspicion.unanswered > 0
        self._advance(vip)
        after = vip.state, vip.elected, vip.term, vip.suspicion is not None and vip.suspicion.unanswered > 0
        if before != after or vip.name in changed:
            node.role_changes.add(vip.name)
        node.dirty.discard(vip.name)  # what it does next it is woken for
        self._wakes.schedule(vip)
        (node.exchanging.discard if vip.offer is None else node.exchanging.add)(vip.name)

    def _at_once(self, vip: VipState) -> bool:
        """Who leaves a failed adapter is looked at in the step in which it is due, however many there are: they must do
        so in one transaction."""
        if vip.state is not State.HOLDER:
            return vip.state is State.YIELDING
        elected = self.node.health.endpoints.get(vip.elected)
        return elected is None or not elected.healthy

    def _advance(self, vip: VipState) -> None:
        node = self.node
        vip.recheck_at = NEVER
        if vip.rival_at != NEVER:
            stations.contest(node, vip)
        if vip.unbind_at != NEVER and node.now >= vip.unbind_at:
            node.unbind(vip)
        copies.keep(node, vip)
        if vip.compare_at != NEVER and node.now >= vip.compare_at:
            vip.compare_at = NEVER
            for peer in node.peers.values():
                compare_plans(node, vip, peer)
        match vip.state:
            case State.IDLE:
                if node.local(vip):
                    node.listen(vip, Reason.LISTENING)
            case State.LISTENING:
                waiting.listening(node, vip)
            case State.SPARE:
                waiting.spare(node, vip)
            case State.SUSPECTING:
                claim.advance(node, vip)
            case State.RECEIVING:
                handover.advance_receiving(node, vip)
            case State.YIELDING:
                handover.advance_yielding(node, vip)
            case State.HOLDER:
                holding.advance(node, vip)
                handover.advance_offer(node, vip)
                if node.stopping_since is not None and vip.state is State.HOLDER:
                    stopping.hand_over(node, vip)

    def _soonest(self) -> float:
        node = self.node
        at = min(self.sender.next_deadline(), node.health.next_deadline(node.now), stopping.end_at(node))
        at = min(at, self._wakes.soonest(), copies.go_at(node))
        for until in node.permits.until.values():
            at = min(at, until)
        at = min(at, self._settled_at) if node.dirty else at
        at = min(at, self._stepped_at) if self._put_off or node.urgent else at
        # due since ever is due now: a lateness is only what came after the last step
        return self._stepped_at if at == NEVER else at
