"""What a Prometheus server is told of a router (docs/metrics.md)."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vipa.remote.groups import Table


class RouterMetrics(Collector):
    """``reports`` is the daemon's own count, by what became of each."""

    def __init__(self, reports: Counter[str]) -> None:
        self.registry = CollectorRegistry()
        self._reports = reports
        self._table = Table()
        self._changes = 0
        self.registry.register(self)

    def changed(self, table: Table) -> None:
        """The kernel has other routes than before."""
        self._table = table
        self._changes += 1

    def collect(self) -> Iterator[Metric]:
        """One scrape. Tables are replaced, never changed."""
        table = self._table
        hops = GaugeMetricFamily("vipa_router_next_hops", "Adapters that a virtual IP is sent to", labels=["address"])
        for vip, at in table.routes.items():
            hops.add_metric([vip], len(table.groups[at]) if isinstance(at, int) else 0)
        yield hops
        reports = CounterMetricFamily("vipa_router_reports", "Reports by what became of them", labels=["result"])
        for result, count in list(self._reports.items()):
            reports.add_metric([result], count)
        yield reports
        yield CounterMetricFamily("vipa_router_changes", "Changes of next hops or routes", value=self._changes)
