"""What was planned before, and what of it stays while a node's agent has not said anything. Pure.

A VirtualIPNode that somebody deleted is made again within a second, and its agent reports again within another. Until
then its interfaces are unknown, which is no reason to plan without them: the agent serves on by its last plan.
"""

import msgspec

from vipa.plan import Endpoint, PlannedVip
from vipa.planner import with_spec
from vipa.planner.candidates import SUCCESSION_MAX
from vipa.resources.assigned import AssignedError, vip_of
from vipa.resources.node import Assignment
from vipa_operator.reconcile.cluster import Cluster, SeenVip


def keep_unreported(plan: PlannedVip | None, last: PlannedVip | None, cluster: Cluster) -> PlannedVip | None:
    """``plan`` with the endpoints that ``last`` had on nodes that have not reported: where they were, or behind all
    others when their node is excluded."""
    if plan is None or last is None or plan.addresses != last.addresses:
        return plan
    there = {(e.node, e.interface) for e in plan.succession}
    taken = {e.address for e in plan.succession} | set(plan.addresses)
    kept = [
        e
        for e in last.succession
        if cluster.unreported(e.node) and (e.node, e.interface) not in there and e.address not in taken
    ]
    if not kept:
        return plan
    order = list(plan.succession)
    staying = [e for e in kept if not cluster.nodes[e.node].excluded]
    for endpoint in reversed(staying):
        order.insert(_place(endpoint, last.succession, order), endpoint)
    leaving = [e for e in kept if e not in staying]
    order = [*order[: SUCCESSION_MAX - len(leaving)], *leaving]
    return msgspec.structs.replace(plan, succession=tuple(order))


def last_plans(cluster: Cluster) -> dict[str, PlannedVip]:
    """What the agents were told last, of each VIP the newest; what its status says where no object has it any more."""
    newest: dict[str, tuple[int, Assignment]] = {}
    for agent in cluster.agents.values():
        for assignment in agent.spec.assignments:
            known = newest.get(assignment.name)
            if known is None or known[0] < agent.spec.epoch:
                newest[assignment.name] = (agent.spec.epoch, assignment)
    plans = {name: plan for name, seen in cluster.vips.items() if (plan := _shown(seen)) is not None}
    for name, (_, assignment) in newest.items():
        try:
            plans[name] = vip_of(assignment)
        except AssignedError:  # written by somebody else; it is replaced
            continue
    return plans


def _shown(seen: SeenVip) -> PlannedVip | None:
    order = tuple(Endpoint(c.address, c.node, c.interface) for c in seen.status.succession)
    if not order or not seen.status.addresses:
        return None
    plain = PlannedVip(seen.meta.name, seen.status.addresses, order)
    return with_spec(plain, seen.spec) if seen.spec is not None else plain


def _place(endpoint: Endpoint, before: tuple[Endpoint, ...], order: list[Endpoint]) -> int:
    """In front of the first that followed it and is still there. By what follows, since a move puts others in front."""
    followers = before[before.index(endpoint) + 1 :]
    return next((order.index(f) for f in followers if f in order), len(order))
