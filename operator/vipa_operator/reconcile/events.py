"""What is told by Events: each move, each refusal, and each end of one. Pure; follows from two statuses."""

from collections.abc import Iterable, Iterator

from vipa.plan import Refusal
from vipa.reasons import Reason
from vipa.resources.meta import Condition, ConditionStatus
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.reconcile.cluster import Kind, SeenAgent, SeenList, SeenVip
from vipa_operator.reconcile.moving import Said
from vipa_operator.reconcile.writes import EventWrite, Severity, SpecWrite


def events(seen: SeenVip, said: Iterable[Said]) -> Iterator[EventWrite]:
    """What is said about a VIP, as Events on it."""
    for severity, reason, message in said:
        yield EventWrite(Kind.VIP, seen.meta.name, seen.meta.uid, severity, reason, message)


def changes(before: VirtualIPStatus, after: VirtualIPStatus) -> Iterator[Said]:
    """What to tell about a VIP whose status goes from ``before`` to ``after``."""
    yield from _of_moves(before, after)
    yield from _of_conditions(before, after)


def refused(kind: Kind, seen: SeenList, refusal: Refusal) -> EventWrite:
    """A list or pool is not accepted; it has no status to say so."""
    return EventWrite(kind, seen.meta.name, seen.meta.uid, Severity.WARNING, refusal.reason, refusal.message)


def share_refused(write: SpecWrite, why: str) -> EventWrite:
    """The API server does not take what a node is to be told."""
    count = len(write.spec.assignments)
    virtual_ips = f"{count} virtual IP{'s' if count != 1 else ''}"
    message = (
        f"the API server refuses the share of {write.node} ({virtual_ips}), so it serves "
        "on by the one before; if it is too large, make it smaller: lists with fallback None or fewer entries, or "
        f"spec.nodeSelector; the API server says: {why}"
    )
    return EventWrite(Kind.AGENT, write.node, write.uid, Severity.WARNING, Reason.SHARE_REFUSED, message)


def node_gone(agent: SeenAgent, severity: Severity, message: str) -> EventWrite:
    """What becomes of a node whose Node is gone."""
    return EventWrite(Kind.AGENT, agent.meta.name, agent.meta.uid, severity, Reason.NODE_GONE, message)


def _of_moves(before: VirtualIPStatus, after: VirtualIPStatus) -> Iterator[Said]:
    for move in after.last_transitions:
        if move in before.last_transitions:
            return
        gap = f", about {move.gap_estimate} without an answer" if move.gap_estimate else ""
        start = f"moved from {move.from_} to {move.to}" if move.from_ else f"served by {move.to}"
        yield Said(Severity.NORMAL, Reason(move.reason), start + gap)


def _of_conditions(before: VirtualIPStatus, after: VirtualIPStatus) -> Iterator[Said]:
    old = {c.type: c for c in before.conditions}
    for condition in after.conditions:
        known = old.get(condition.type)
        refused = {Reason.ADDRESS_IN_USE, Reason.NODE_ADDRESS} & {condition.reason, known.reason if known else ""}
        if condition.type == "Accepted" or (condition.type == "Conflict" and not refused):  # told once, not twice
            yield from _told(condition, known, good=ConditionStatus(str(condition.type == "Accepted")))


def _told(condition: Condition, known: Condition | None, good: ConditionStatus) -> Iterator[Said]:
    if known is not None and (known.status, known.reason, known.message) == (
        condition.status,
        condition.reason,
        condition.message,
    ):
        return
    if condition.status != good:
        yield Said(Severity.WARNING, Reason(condition.reason), condition.message)
    elif known is not None and known.status != good:
        yield Said(Severity.NORMAL, Reason(condition.reason), condition.message)
