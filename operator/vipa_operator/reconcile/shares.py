"""The plans as they are to be written, and which node has a share in which."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vipa.plan import PlannedVip
from vipa.resources.assigned import assignment_of
from vipa.resources.node import Assignment


@dataclass(slots=True)
class Shares:
    """Each VIP is spelled once: the nodes share the objects."""

    _plans: dict[str, PlannedVip] = field(default_factory=dict)
    _assignments: dict[str, dict[str, Assignment]] = field(default_factory=dict)

    def begin(self, plans: Mapping[str, PlannedVip]) -> None:
        """What was written before this program started."""
        for name, plan in plans.items():
            self.put(name, plan)

    def known(self) -> frozenset[str]:
        """Names of all VIPs that have a plan."""
        return frozenset(self._plans)

    def plan(self, vip: str) -> PlannedVip | None:
        """The plan of ``vip`` that is, or is being, written."""
        return self._plans.get(vip)

    def of(self, node: str) -> tuple[str, ...]:
        """Names of the VIPs in whose succession ``node`` is."""
        return tuple(self._assignments.get(node, ()))

    def assignments(self, node: str) -> tuple[Assignment, ...]:
        """The share of ``node``, by name of the VIP."""
        return tuple(a for _, a in sorted(self._assignments.get(node, {}).items()))

    def put(self, vip: str, plan: PlannedVip | None) -> set[str]:
        """The plan of ``vip`` is this now. Returns the nodes whose share changed."""
        before = self._plans.get(vip)
        if before == plan:
            return set()
        left = _nodes(before)
        for node in left:
            self._assignments[node].pop(vip)
        if plan is None:
            self._plans.pop(vip, None)
            return left
        self._plans[vip] = plan
        assignment = assignment_of(plan)
        for node in _nodes(plan):
            self._assignments.setdefault(node, {})[vip] = assignment
        return left | _nodes(plan)


def _nodes(plan: PlannedVip | None) -> set[str]:
    return {e.node for e in plan.succession if e.node} if plan is not None else set()
