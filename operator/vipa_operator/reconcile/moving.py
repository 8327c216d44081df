"""The order that is written out: the planner's, but the holder leaves last, a move that was asked for comes first, and
what has been served is kept while its plan cannot be made. Pure."""

from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from vipa.plan import Endpoint, FailbackPolicy, PlannedVip, Refusal
from vipa.planner import with_spec
from vipa.planner.candidates import SUCCESSION_MAX
from vipa.reasons import Reason
from vipa.resources.virtualip import MovePhase, MoveStatus
from vipa_operator.reconcile.cluster import Cluster, SeenVip
from vipa_operator.reconcile.reports import Holding
from vipa_operator.reconcile.times import parse, text
from vipa_operator.reconcile.writes import Severity

MOVE_S: Final = 60.0
"""How long a move may take. Done in a second when the target is healthy; a minute lets its agent restart."""

KEPT: Final = frozenset(
    {Reason.LIST_NOT_FOUND, Reason.NO_CANDIDATES, Reason.INVALID, Reason.NOT_SUPPORTED_YET, Reason.NODE_ADDRESS}
)
"""Refusals that leave what has been served as it is. Not AddressInUse: then somebody else is to serve the address."""


class Said(NamedTuple):
    """Something to tell people about a VIP."""

    severity: Severity
    reason: Reason
    message: str


class Decided(NamedTuple):
    """``plan``: what is to be written. ``answered``: the annotation has had its effect and is to go."""

    plan: PlannedVip | None
    move: MoveStatus | None = None
    answered: bool = False
    said: tuple[Said, ...] = ()
    due_in_s: float | None = None


def base(
    answer: PlannedVip | Refusal, seen: SeenVip, last: PlannedVip | None, holding: Holding | None, cluster: Cluster
) -> PlannedVip | None:
    """The planner's answer; where it refuses, what was served before, as far as its nodes may serve. The holder may
    even when its node is drained, if there is nobody to hand over to."""
    if isinstance(answer, PlannedVip):
        return answer
    if last is None or answer.reason not in KEPT or set(last.addresses) != set(seen.wanted):
        return None
    # How it moves is not lost with its order; what was written last may have had to move at once.
    last = with_spec(last, seen.spec) if seen.spec is not None else last
    order = tuple(e for e in last.succession if e.address not in last.addresses)
    usable = tuple(e for e in order if _may_serve(e, cluster))
    if not usable and holding is not None:
        at = (holding.node, holding.report.interface)
        usable = tuple(e for e in order if (e.node, e.interface) == at)
    return msgspec.structs.replace(last, succession=usable) if usable else None


def nothing(seen: SeenVip, answer: PlannedVip | Refusal) -> Decided:
    """Nothing is planned for the VIP, so nothing can be moved."""
    if not seen.move_to:
        return Decided(None)
    why = answer.message if isinstance(answer, Refusal) else "another virtual IP has its address"
    return Decided(None, None, True, (_refused(f"not moved to {seen.move_to}: nobody is to serve it: {why}"),))


def leave_last(plan: PlannedVip | None, last: PlannedVip | None, holding: Holding | None) -> PlannedVip | None:
    """A holder that is no candidate any more (drained, excluded, taken off the list) stays the last one, and hands over
    at once to any other: make before break. Without it the address would be gone before another has it."""
    if holding is None or last is None or plan is None:
        return plan
    at = (holding.node, holding.report.interface)
    place = next((e for e in last.succession if (e.node, e.interface) == at), None)
    if place is None or plan.addresses != last.addresses:
        return plan
    if place.address in plan.addresses or any(
        e.address == place.address or (e.node, e.interface) == at for e in plan.succession
    ):
        return plan
    return _at_once(plan, (*plan.succession[: SUCCESSION_MAX - 1], place))


def decide(
    plan: PlannedVip,
    seen: SeenVip,
    move: MoveStatus | None,
    holding: Holding | None,
    generations: tuple[int, int],
    now: datetime,
) -> Decided:
    """What becomes of ``plan`` by a move that was asked for now or before. ``generations``: of the VIP and its list."""
    if seen.move_to and (move is None or move.to != seen.move_to):
        if said := _refusal(plan, seen.move_to):
            kept = decide(plan, _without(seen), move, holding, generations, now)
            return kept._replace(answered=True, said=(said,))
        move = MoveStatus(seen.move_to, text(now), MovePhase.ASKED, *generations)
    if move is None:
        return Decided(plan)
    if move.phase is MovePhase.DONE:
        stands = _holds(move, holding, otherwise=True) and generations == (move.generation, move.list_generation)
        first = _first(plan, move.to)
        if not stands or first is None:
            return Decided(plan, None, bool(seen.move_to))
        return Decided(msgspec.structs.replace(plan, succession=first), move, bool(seen.move_to))
    return _asked(plan, seen, move, holding, now)


def _asked(plan: PlannedVip, seen: SeenVip, move: MoveStatus, holding: Holding | None, now: datetime) -> Decided:
    first = _first(plan, move.to)
    if not seen.move_to:  # taken back
        return Decided(plan)
    if first is None:
        return Decided(plan, None, True, (_no_candidate(plan, move.to),))
    if _holds(move, holding, otherwise=False):
        done = msgspec.structs.replace(move, phase=MovePhase.DONE)
        return Decided(msgspec.structs.replace(plan, succession=first), done, True)
    left_s = MOVE_S - (now - parse(move.since)).total_seconds()
    if left_s <= 0:
        message = f"{move.to} did not take the virtual IP within {MOVE_S:g} s; nothing has moved"
        return Decided(plan, None, True, (Said(Severity.WARNING, Reason.MOVE_TIMED_OUT, message),))
    # At once whatever the failback policy says: somebody asked for this one.
    return Decided(_at_once(plan, first), move, due_in_s=left_s)


def _refusal(plan: PlannedVip, to: str) -> Said | None:
    if plan.policy.paused:
        return _refused(f"not moved to {to}: spec.paused is set; remove it first")
    return _no_candidate(plan, to) if _first(plan, to) is None else None


def _no_candidate(plan: PlannedVip, to: str) -> Said:
    known = ", ".join(dict.fromkeys(e.node for e in plan.succession if e.node))
    return _refused(f"not moved to {to}: no candidate there; candidates are on {known or 'no known node'}")


def _refused(message: str) -> Said:
    return Said(Severity.WARNING, Reason.MOVE_REFUSED, message)


def _first(plan: PlannedVip, to: str) -> tuple[Endpoint, ...] | None:
    """The succession with the endpoints of ``to`` in front; None when there are none."""
    node, _, interface = to.partition("/")
    front = tuple(e for e in plan.succession if node and e.node == node and interface in ("", e.interface))
    return (*front, *(e for e in plan.succession if e not in front)) if front else None


def _holds(move: MoveStatus, holding: Holding | None, *, otherwise: bool) -> bool:
    if holding is None:
        return otherwise
    node, _, interface = move.to.partition("/")
    return holding.node == node and interface in ("", holding.report.interface)


def _at_once(plan: PlannedVip, succession: tuple[Endpoint, ...]) -> PlannedVip:
    policy = msgspec.structs.replace(plan.policy, failback=FailbackPolicy.IMMEDIATE)
    return msgspec.structs.replace(plan, succession=succession, policy=policy)


def _without(seen: SeenVip) -> SeenVip:
    return replace(seen, move_to="")


def _may_serve(endpoint: Endpoint, cluster: Cluster) -> bool:
    node = cluster.nodes.get(endpoint.node)
    return not endpoint.node or (node is not None and not node.excluded)
