"""The operator's metrics (docs/metrics.md), in a registry of their own."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

STATES: Final = ("Ready", "NotReady", "Refused")
PLAN_BUCKETS_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""20 ms is the promise for one change, 1 s for a whole cluster from scratch."""


class Metrics:
    """What a scrape shows. A replica that does not lead plans nothing and says so by ``vipa_leader`` 0."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.plan = Histogram(
            "vipa_plan_seconds",
            "Planning what changed, status included",
            registry=self.registry,
            buckets=PLAN_BUCKETS_S,
        )
        self.leader = Gauge("vipa_leader", "1 on the replica that writes", registry=self.registry)
        self.writes = Counter("vipa_api_writes", "Writes the API server took, the lease aside", registry=self.registry)
        self._vips = Gauge("vipa_vips", "Virtual IPs by state", ["state"], registry=self.registry)

    def show(self, states: Mapping[str, int]) -> None:
        """How many VIPs are in each state now."""
        for state in STATES:
            self._vips.labels(state).set(states.get(state, 0))

    def hide(self) -> None:
        """This replica knows no states (any more)."""
        self._vips.clear()
