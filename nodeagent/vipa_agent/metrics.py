"""The agent's metrics (docs/metrics.md), in a registry of their own.

What *is* (who holds, who is healthy, permits, conflicts) is one :class:`Picture`, handed over whole and read when
someone asks: a series is there exactly as long as what it describes. What *happened* are counters; those of VIPs and
interfaces that left the picture go too.

A scrape runs in a thread but shares the interpreter with the event loop, which lets go of it with every packet it sends
and then waits for a turn: rendering 2,000 VIPs in one go made the loop 95 ms late (p99). So samples are made a few at a
time, with a pause in which the loop gets its turn.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from vipa.reasons import Reason

LATENESS_BUCKETS_S: Final = (0.001, 0.002, 0.005, 0.010, 0.020, 0.050, 0.100, 0.250, 0.500, 1.0, 5.0)
"""Around the intervals (5, 20, 200 ms) and permits (250, 500, 2,000 ms) of the profiles."""


SAMPLES_PER_TURN: Final = 8
PAUSE_S: Final = 0.0002
"""Eight samples take about 60 µs, the loop's longest wait; 6,000 samples (2,000 VIPs) then about 0.3 s in all."""

_Values = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Picture:
    """What the agent's metrics show now. Times are CLOCK_BOOTTIME."""

    holder: dict[tuple[str, str], bool] = field(default_factory=dict)
    """(VIP, interface of ours it may be elected on) → elected there now."""
    endpoint_healthy: dict[str, bool] = field(default_factory=dict)
    """Interface → healthy."""
    conflict: dict[str, bool] = field(default_factory=dict)
    """VIP → a foreign station has it."""
    check_failing: dict[str, bool] = field(default_factory=dict)
    """VIP with health checks → one of them fails on this node."""
    permit_on: dict[str, str] = field(default_factory=dict)
    """Group → interface of its permit; "" for an untimed one."""
    permits: Mapping[str, float] = field(default_factory=dict)
    """Interface → end of the permit there, as it is and not as it was: pictures are older than permits live."""
    bgp_up: dict[str, bool] = field(default_factory=dict)
    """Router → its session with the node's FRR is up."""
    bgp_advertised: dict[str, int] = field(default_factory=dict)
    """Router → addresses of virtual IPs that were sent to it."""


class Metrics:
    """Counters to add to, and the picture to replace. Called from the event loop; read by the scrape's threads."""

    def __init__(self, now: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) -> None:
        self.registry = CollectorRegistry()
        self._now = now
        self._picture = Picture()
        self._heard_at: float | None = None
        self._transitions: Counter[tuple[str, str]] = Counter()
        self._announcements: Counter[tuple[str, str]] = Counter()
        self._heartbeats: Counter[tuple[str, str]] = Counter()
        self._repairs: Counter[tuple[str]] = Counter()
        self._notifications: Counter[tuple[str, str]] = Counter()
        self._lateness = Histogram(
            "vipa_loop_lateness_seconds",
            "How late the event loop ran what was due",
            registry=self.registry,
            buckets=LATENESS_BUCKETS_S,
        )
        self.registry.register(_Collector(self._families))

    def show(self, picture: Picture) -> None:
        """Replace what is. Counters of VIPs and interfaces that are in no part of the picture are forgotten."""
        self._picture = picture
        _keep(self._transitions, {vip for vip, _ in picture.holder} | picture.conflict.keys())
        _keep(self._announcements, picture.endpoint_healthy.keys())

    def transition(self, vip: str, reason: Reason) -> None:
        """A VIP's role or interface changed on this node."""
        self._transitions[vip, reason] += 1

    def announcements(self, interface: str, kind: str, count: int = 1) -> None:
        """Frames that announce; ``kind``: what became of them, a word of ``vipa_agent.wire.nic.Sent``."""
        self._announcements[interface, kind] += count

    def repaired(self, what: str) -> None:
        """Something that another program removed or changed was put back; ``what``: address, table, rule, route …"""
        self._repairs[what,] += 1

    def heartbeats(self, direction: str, result: str, count: int = 1) -> None:
        """Heartbeats; ``direction``: sent or received; ``result``: what became of them."""
        self._heartbeats[direction, result] += count

    def notifications(self, hook: str, result: str, count: int = 1) -> None:
        """Events for notify hooks; ``result``: what became of them: done, failed, timeout, dropped."""
        self._notifications[hook, result] += count

    def api_heard(self) -> None:
        """The API said something, so what is known of it is as old as that."""
        self._heard_at = self._now()

    def lateness(self, late_s: float) -> None:
        """The loop ran something ``late_s`` after it was due."""
        self._lateness.observe(late_s)

    def _families(self) -> Iterator[Metric]:
        """One scrape. Pictures are replaced, never changed, and counters copied in one step: no lock."""
        picture, now = self._picture, self._now()
        gauges: tuple[tuple[str, str, tuple[str, ...], _Values], ...] = (
            ("holder", "1 where this node answers for the VIP, 0 where it could", ("vip", "interface"),
             picture.holder.items()),
            ("endpoint_healthy", "Whether the interface can serve", ("interface",), _single(picture.endpoint_healthy)),
            ("conflict", "1 while a foreign station has the VIP", ("vip",), _single(picture.conflict)),
            ("check_failing", "Whether a health check of the VIP fails here", ("vip",), _single(picture.check_failing)),
            ("bgp_session_up", "Whether the session with the router is up", ("peer",), _single(picture.bgp_up)),
            ("bgp_advertised", "Addresses sent to the router", ("peer",), _single(picture.bgp_advertised)),
            ("permit_remaining_seconds", "Life left of the kernel's permit", ("group",),
             (((group,), _left_s(picture.permits, on, now)) for group, on in picture.permit_on.items())),
            ("api_watch_age_seconds", "Time since the API last said anything", (),
             [] if self._heard_at is None else [((), max(0.0, now - self._heard_at))]),
        )  # fmt: skip
        for name, text, labels, values in gauges:
            yield _family(f"vipa_{name}", text, "gauge", labels, values)
        counters = (
            ("transitions", "Changes of role or interface", ("vip", "reason"), self._transitions),
            ("announcements", "Gratuitous ARP and unsolicited NA", ("interface", "kind"), self._announcements),
            ("heartbeats", "Heartbeats by what became of them", ("direction", "result"), self._heartbeats),
            ("repairs", "What others removed or changed and was put back", ("what",), self._repairs),
            ("notifications", "Events for notify hooks", ("hook", "result"), self._notifications),
        )
        for name, text, labels, counter in counters:
            yield _family(f"vipa_{name}", text, "counter", labels, list(counter.items()))


class _Collector(Collector):
    """What prometheus_client asks for the families."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()


def _keep(counter: Counter[tuple[str, str]], firsts: AbstractSet[str]) -> None:
    for key in [key for key in counter if key[0] not in firsts]:
        del counter[key]


def _left_s(permits: Mapping[str, float], interface: str, now: float) -> float:
    """Life left of the permit on ``interface``; infinite for an untimed one ("")."""
    return max(0.0, permits.get(interface, now) - now) if interface else float("inf")


def _single(values: Mapping[str, float]) -> _Values:
    return (((key,), value) for key, value in values.items())


def _family(name: str, text: str, kind: str, labels: tuple[str, ...], values: _Values) -> Metric:
    family = Metric(name, text, kind)
    # A generator where a list is expected: renderers go through it once, and it pauses between samples.
    family.samples = _in_turns(name + "_total" * (kind == "counter"), labels, values)  # type: ignore[assignment]
    return family


def _in_turns(name: str, labels: tuple[str, ...], values: _Values) -> Iterator[Sample]:
    for number, (label_values, value) in enumerate(values, start=1):
        if number % SAMPLES_PER_TURN == 0:
            time.sleep(PAUSE_S)
        yield Sample(name, dict(zip(labels, label_values, strict=True)), float(value))
