"""The agent's metrics (docs: 03-interfaces, "Metrics"), in a registry of their own.

What *is* (who holds, who is healthy, permits, conflicts) is one :class:`Picture`, handed over whole and read when
someone asks: a series is there exactly as long as what it describes. What *happened* are counters; those of VIPs and
interfaces that left the picture go too.
"""

import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vipa.reasons import Reason

LATENESS_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.010, 0.020, 0.050, 0.100, 0.250, 0.500, 1.0, 5.0)
"""Around the intervals (5, 20, 200 ms) and permits (250, 500, 2,000 ms) of the profiles."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the agent's metrics show now. Times are CLOCK_BOOTTIME."""

    holder: dict[tuple[str, str], bool] = field(default_factory=dict)
    """(VIP, interface of ours it may be elected on) → elected there now."""
    endpoint_healthy: dict[str, bool] = field(default_factory=dict)
    """Interface → healthy."""
    conflict: dict[str, bool] = field(default_factory=dict)
    """VIP → a foreign station has it."""
    permit_until: dict[str, float] = field(default_factory=dict)
    """Group → end of its permit (infinity: untimed)."""


class Metrics:
    """Counters to add to, and the picture to replace. Called from the event loop; read by the scrape's threads."""

    def __init__(self, now: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) -> None:
        self.registry = CollectorRegistry()
        self._pictures = _Pictures(now)
        self.registry.register(self._pictures)
        self._transitions = _counter(self.registry, "transitions", "Changes of role or interface", "vip", "reason")
        self._announcements = _counter(
            self.registry, "announcements", "Gratuitous ARP and unsolicited NA sent", "interface", "kind"
        )
        self._heartbeats = _counter(
            self.registry, "heartbeats", "Heartbeats by what became of them", "direction", "result"
        )
        self._lateness = Histogram(
            "vipa_loop_lateness_seconds",
            "How late the event loop ran what was due",
            registry=self.registry,
            buckets=LATENESS_BUCKETS_S,
        )

    def show(self, picture: Picture) -> None:
        """Replace what is. Counters of VIPs and interfaces that are in no part of the picture are forgotten."""
        self._pictures.picture = picture
        vips = {vip for vip, _ in picture.holder} | picture.conflict.keys()
        self._transitions.keep(vips)
        self._announcements.keep(picture.endpoint_healthy.keys())

    def transition(self, vip: str, reason: Reason) -> None:
        """A VIP's role or interface changed on this node."""
        self._transitions.add(vip, reason)

    def announcements(self, interface: str, kind: str, count: int = 1) -> None:
        """Announcements sent; ``kind``: request, reply or gated, na, …"""
        self._announcements.add(interface, kind, count)

    def heartbeats(self, direction: str, result: str, count: int = 1) -> None:
        """Heartbeats; ``direction``: sent or received; ``result``: what became of them."""
        self._heartbeats.add(direction, result, count)

    def lateness(self, late_s: float) -> None:
        """The loop ran something ``late_s`` after it was due."""
        self._lateness.observe(late_s)


class _Labelled:
    """A counter of two labels with its children at hand: looking one up in prometheus_client costs 2 µs and a lock."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._children: dict[tuple[str, str], Counter] = {}

    def add(self, first: str, second: str, count: int = 1) -> None:
        child = self._children.get((first, second))
        if child is None:
            child = self._children[first, second] = self._counter.labels(first, second)
        child.inc(count)

    def keep(self, firsts: AbstractSet[str]) -> None:
        for first, second in [key for key in self._children if key[0] not in firsts]:
            del self._children[first, second]
            self._counter.remove(first, second)


def _counter(registry: CollectorRegistry, name: str, text: str, *labels: str) -> _Labelled:
    return _Labelled(Counter(f"vipa_{name}", text, labels, registry=registry))


class _Pictures(Collector):
    """Makes gauges of the current picture for each scrape. The picture is never changed, only replaced: no lock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.picture = Picture()
        self._now = now

    def collect(self) -> Iterator[Metric]:
        picture, now = self.picture, self._now()
        holder = GaugeMetricFamily(
            "vipa_holder", "1 where this node answers for the VIP, 0 where it could", labels=("vip", "interface")
        )
        for (vip, interface), elected in picture.holder.items():
            holder.add_metric((vip, interface), elected)
        yield holder
        yield _family("vipa_endpoint_healthy", "Whether the interface can serve", "interface", picture.endpoint_healthy)
        yield _family("vipa_conflict", "1 while a foreign station has the VIP", "vip", picture.conflict)
        remaining = {group: max(0.0, until - now) for group, until in picture.permit_until.items()}
        yield _family("vipa_permit_remaining_seconds", "Life left of the kernel's permit", "group", remaining)


def _family(name: str, text: str, label: str, values: dict[str, bool] | dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value_of, value in values.items():
        family.add_metric((value_of,), value)
    return family
