"""VirtualIP.status: who serves, who else could and why they do not, what moved, and four conditions. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vipa.plan import Endpoint, FailbackPolicy, PlannedVip, Refusal
from vipa.reasons import Reason
from vipa.remote.hops import hops_of
from vipa.resources.meta import Condition, ConditionStatus
from vipa.resources.node import Role, VipStatus
from vipa.resources.virtualip import (
    CandidateStatus,
    HolderStatus,
    MoveStatus,
    TransitionStatus,
    VirtualIPStatus,
)
from vipa.timing import node_death_s
from vipa_operator.reconcile.reports import Health, Holding, word
from vipa_operator.reconcile.times import text

TRANSITIONS_MAX: Final = 10
"""The CRD takes no more of lastTransitions; the newest come first."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the status of one VIP is made of. ``health`` is in the order of ``plan.succession``; ``reports`` are
    the agents' own, by node."""

    generation: int
    wanted: tuple[str, ...]
    plan: PlannedVip | None
    refusal: Refusal | None
    move: MoveStatus | None
    holding: Holding | None
    health: tuple[Health, ...]
    reports: dict[str, VipStatus]


def status_of(facts: Facts, before: VirtualIPStatus, now: datetime) -> VirtualIPStatus:
    """The status, as far as possible the same as ``before``: only what changed differs."""
    holder = _holder(facts)
    succession = _succession(facts, holder)
    others = [c for c in succession if c.healthy and not _same(c, holder)]
    addresses = facts.plan.addresses if facts.plan is not None else facts.wanted
    return VirtualIPStatus(
        observed_generation=facts.generation,
        addresses=addresses,
        address=" ".join(addresses),
        holder=holder,
        spares=len(others),
        succession=succession,
        next_hops=_next_hops(facts, holder),
        last_transitions=_transitions(facts, holder, before, now),
        move=facts.move,
        conditions=_conditions(facts, holder, others, before, now),
    )


def _holder(facts: Facts) -> HolderStatus | None:
    holding = facts.holding
    if holding is None:
        return None
    report, interface = holding.report, holding.interface
    address = ""
    for endpoint in facts.plan.succession if facts.plan is not None else ():
        if (endpoint.node, endpoint.interface) == (holding.node, report.interface):
            address = endpoint.address
    if not address and interface is not None and interface.addresses:
        address = interface.addresses[0].partition("/")[0]
    return HolderStatus(
        node=holding.node,
        interface=report.interface,
        address=address,
        mac=interface.mac if interface is not None else "",
        since=report.since,
        term=report.term,
        endpoint=f"{holding.node}/{report.interface}",
    )


def _same(candidate: CandidateStatus, holder: HolderStatus | None) -> bool:
    return holder is not None and (candidate.node, candidate.interface) == (holder.node, holder.interface)


def _succession(facts: Facts, holder: HolderStatus | None) -> tuple[CandidateStatus, ...]:
    if facts.plan is None:
        return ()
    order = facts.plan.succession
    held = [holder is not None and (e.node, e.interface) == (holder.node, holder.interface) for e in order]
    rank = held.index(True) if True in held else None
    return tuple(
        CandidateStatus(
            e.node,
            e.interface,
            e.address,
            health.healthy and not _failing(facts, e.node),
            _why(facts, e, i, rank, health),
            _failing(facts, e.node),
        )
        for i, (e, health) in enumerate(zip(order, facts.health, strict=True))
    )


def _failing(facts: Facts, node: str) -> tuple[str, ...]:
    """The health checks that fail on ``node``, in its agent's words."""
    report = facts.reports.get(node)
    return report.failing if report is not None else ()


def _why(facts: Facts, endpoint: Endpoint, at: int, held: int | None, health: Health) -> Reason:
    """Why the endpoint at place ``at`` serves (``held`` is the holder's place), or why it does not."""
    assert facts.plan is not None
    report = facts.reports.get(endpoint.node)
    if health.healthy and _failing(facts, endpoint.node):
        silent = facts.plan.bridge and report is not None and report.role is Role.EXCLUDED
        return word(report.reason, Reason.GUEST_SILENT) if silent and report else Reason.HEALTH_CHECK_FAILED
    if at == held:
        return word(report.reason, Reason.TOP_OF_LIST) if report is not None else Reason.TOP_OF_LIST
    if not health.healthy:
        return health.reason
    if facts.holding is None:
        # Nobody serves: what the endpoint's own agent says of itself is all there is.
        return word(report.reason, Reason.LISTENING) if report is not None else Reason.LISTENING
    if held is not None and at > held:
        return Reason.LOWER_IN_LIST
    if report is not None and report.role is Role.EXCLUDED:
        return word(report.reason, Reason.NO_HEALTHY_ENDPOINT)
    if facts.plan.policy.paused:
        return Reason.PAUSED
    return Reason.FAILBACK_NEVER if facts.plan.policy.failback is FailbackPolicy.NEVER else Reason.FAILBACK_WAITING


def _next_hops(facts: Facts, holder: HolderStatus | None) -> tuple[str, ...]:
    """The healthy interfaces of the nodes that have the address bound: traffic is accepted on each of them. The
    holder's whatever the health checks say of the program behind, for it may be the only one; those of nodes with a
    copy (binding EveryCandidate) where none fails."""
    if facts.plan is None:
        return ()
    holding = {holder.node} if holder is not None else set()
    if facts.plan.everywhere:
        having = {node for node, report in facts.reports.items() if report.copy and not report.failing}
        holding = having or holding
    known = zip(facts.plan.succession, facts.health, strict=True)
    here = [(e, health.own) for e, health in known if health.healthy and e.node in holding]
    return tuple(hop for endpoint, own in here for hop in hops_of(facts.plan.addresses, endpoint.address, own))


def _transitions(
    facts: Facts, holder: HolderStatus | None, before: VirtualIPStatus, now: datetime
) -> tuple[TransitionStatus, ...]:
    known = before.last_transitions
    if holder is None:
        return known
    last = before.holder.endpoint if before.holder is not None else known[0].to if known else ""
    if before.holder is not None and last == holder.endpoint:
        return known
    if before.holder is None and known and known[0].to == holder.endpoint and known[0].time == holder.since:
        return known  # the report of this holding was only out of sight
    assert facts.holding is not None
    reason = word(facts.holding.report.reason, Reason.TOP_OF_LIST)
    new = TransitionStatus(
        time=holder.since or text(now),
        from_=last,
        to=holder.endpoint,
        reason=reason,
        gap_estimate=_gap(facts, reason) if last else "",
    )
    return (new, *known[: TRANSITIONS_MAX - 1])


def _gap(facts: Facts, reason: Reason) -> str:
    """What the formulas say about how long nobody answered, where they know."""
    if reason in (Reason.HANDED_OVER, Reason.BETTER_ENDPOINT_BACK, Reason.HEALTH_CHECK_FAILED):
        return "0ms"  # make before break (rule 4)
    if reason is Reason.HOLDER_SILENT and facts.plan is not None:
        return f"{node_death_s(facts.plan.policy.profile) * 1000:.0f}ms"
    return ""


def _conditions(
    facts: Facts,
    holder: HolderStatus | None,
    others: list[CandidateStatus],
    before: VirtualIPStatus,
    now: datetime,
) -> tuple[Condition, ...]:
    old = {c.type: c for c in before.conditions}

    def condition(kind: str, holds: bool, reason: Reason, message: str) -> Condition:
        status = ConditionStatus.TRUE if holds else ConditionStatus.FALSE
        known = old.get(kind)
        since = known.last_transition_time if known is not None and known.status == status else ""
        return Condition(kind, status, reason.value, message, since or text(now), facts.generation)

    return (
        condition("Accepted", *_accepted(facts)),
        condition("Conflict", *_conflict(facts)),
        condition("Ready", *_ready(facts, holder, others)),
        condition("Redundant", *_redundant(facts, holder, others)),
    )


Verdict = tuple[bool, Reason, str]


def _accepted(facts: Facts) -> Verdict:
    if facts.refusal is None:
        return True, Reason.ACCEPTED, "valid and planned"
    kept = "; what was planned before stays in force" if facts.plan is not None else ""
    return False, facts.refusal.reason, facts.refusal.message + kept


def _conflict(facts: Facts) -> Verdict:
    refusal = facts.refusal
    if refusal is not None and refusal.reason in (Reason.ADDRESS_IN_USE, Reason.NODE_ADDRESS):
        return True, refusal.reason, refusal.message
    seen = {node: r.conflict for node, r in facts.reports.items() if r.conflict or r.reason == Reason.CONFLICT}
    if seen:
        macs = ", ".join(sorted({mac for mac in seen.values() if mac}))
        who = f"a foreign station, {macs}," if macs else "a foreign station"
        return True, Reason.CONFLICT, f"{who} says to have the address, as {', '.join(sorted(seen))} sees it"
    return False, Reason.NO_CONFLICT, "nobody else uses the address"


def _ready(facts: Facts, holder: HolderStatus | None, others: list[CandidateStatus]) -> Verdict:
    if holder is not None:
        assert facts.holding is not None
        if failing := _failing(facts, holder.node):
            after = "it is to hand over" if others else "no other candidate passes, so it stays"
            what = f"{holder.endpoint} serves, but its health checks fail: {', '.join(failing)}; {after}"
            return False, Reason.HEALTH_CHECK_FAILED, what
        reason = word(facts.holding.report.reason, Reason.TOP_OF_LIST)
        return True, reason, f"{holder.endpoint} serves"
    if facts.plan is None:
        return False, facts.refusal.reason if facts.refusal else Reason.PLAN_REMOVED, "not served: it is not accepted"
    if facts.plan.bridge and (silent := {n: f for n in facts.reports if (f := _failing(facts, n))}):
        told = "; ".join(f"{node}: {', '.join(failing)}" for node, failing in sorted(silent.items()))
        return False, Reason.GUEST_SILENT, f"not served: the guest is behind no node's bridge ({told})"
    if any(h.healthy for h in facts.health):
        return False, Reason.LISTENING, "no agent has said yet that it serves"
    reasons = {h.reason for h in facts.health}
    reason = reasons.pop() if len(reasons) == 1 else Reason.NO_HEALTHY_ENDPOINT
    return False, reason, "no candidate is healthy; status.succession says why for each"


def _redundant(facts: Facts, holder: HolderStatus | None, others: list[CandidateStatus]) -> Verdict:
    if holder is not None and others:
        elsewhere = sum(c.node != holder.node for c in others)
        where = f"{elsewhere} of them on another node" if elsewhere else "none of them on another node"
        return True, Reason.HEALTHY, f"{len(others)} healthy {'spare' if len(others) == 1 else 'spares'}, {where}"
    if facts.plan is None:
        return False, facts.refusal.reason if facts.refusal else Reason.PLAN_REMOVED, "not accepted"
    if holder is None:
        return False, Reason.LISTENING, "nobody serves yet"
    if len(facts.plan.succession) == 1:
        return False, Reason.ONLY_CANDIDATE, "there is only one candidate; declare a second interface or node"
    return False, Reason.NO_HEALTHY_ENDPOINT, "no spare is healthy; status.succession says why for each"
