"""What probes report, and the pure arithmetic from single sends to outages. Times are CLOCK_MONOTONIC seconds, which
all machines of a lab share; durations are milliseconds."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

# What may be said with a 2 ms probe is ±5 ms, with a 10 ms probe ±15 ms (docs: "Measuring client-observed outage"):
# period + lateness, so the lateness allowed is 3 ms or half a period.
_LATENESS_FLOOR_MS: Final = 3.0
# An outage is void when the probe was late within this many periods of it.
_VOID_MARGIN_PERIODS: Final = 5


class Sample(msgspec.Struct, array_like=True):
    """One send: when it was due and when it left; when it was answered and by which node ("" while unanswered)."""

    due_s: float
    sent_s: float
    answered_s: float = 0.0
    node: str = ""


class Outage(msgspec.Struct, frozen=True):
    """From the first unanswered send to the first later answered one (``end_s`` None: it lasted to the last send).

    ``lateness_ms``: worst pacing around it; ``void``: the probe was too late to judge it.
    """

    start_s: float
    end_s: float | None
    ms: float
    lost: int
    before: str
    after: str
    lateness_ms: float
    void: bool


class Segment(msgspec.Struct, frozen=True):
    """A stretch of sends answered by one node without another in between."""

    node: str
    start_s: float
    end_s: float
    answers: int


class ProbeResult(msgspec.Struct, frozen=True, tag="result"):
    """One run. ``rtt_*``: time to the answer of answered sends. ``void``: some send was later than
    ``lateness_bound_ms`` and figures of the whole run should not be quoted (single outages carry their own)."""

    kind: str
    target: str
    period_ms: float
    sent: int
    lost: int
    outages: tuple[Outage, ...]
    segments: tuple[Segment, ...]
    rtt_median_ms: float
    rtt_max_ms: float
    lateness_p99_ms: float
    lateness_max_ms: float
    lateness_bound_ms: float
    void: bool
    realtime: bool
    double_answers: int = 0

    @property
    def longest_outage_ms(self) -> float:
        """0 when everything was answered."""
        return max((outage.ms for outage in self.outages), default=0.0)


class TcpResult(msgspec.Struct, frozen=True, tag="tcp"):
    """One long-lived connection: ``stall_ms_max`` is the longest time from a line to its echo, or to the
    next echo when it was lost with its connection, or to the end.

    ``gap_ms_max``: longest time between two echoes, which includes making a broken connection again. ``resets``: times
    the connection was broken; ``connects``: times it was (re)made.
    """

    target: str
    period_ms: float
    sent: int
    echoed: int
    stall_ms_max: float
    stall_start_s: float
    gap_ms_max: float
    resets: int
    connects: int
    segments: tuple[Segment, ...]
    lateness_max_ms: float


class Live(msgspec.Struct, frozen=True, tag="live"):
    """A look at a running probe. ``silent_ms``: age of the oldest unanswered send after the last answered one."""

    at_s: float
    sent: int
    answered: int
    node: str
    silent_ms: float


Report = Live | ProbeResult | TcpResult


def summarise(
    samples: Sequence[Sample], *, kind: str, target: str, period_s: float, realtime: bool, double_answers: int = 0
) -> ProbeResult:
    """The result of one run from its sends, in order of sending."""
    bound_ms = lateness_bound_ms(period_s)
    lateness = sorted((sample.sent_s - sample.due_s) * 1000 for sample in samples)
    rtt = sorted((sample.answered_s - sample.sent_s) * 1000 for sample in samples if sample.node)
    return ProbeResult(
        kind=kind,
        target=target,
        period_ms=period_s * 1000,
        sent=len(samples),
        lost=sum(not sample.node for sample in samples),
        outages=tuple(find_outages(samples, period_s)),
        segments=tuple(find_segments(samples)),
        rtt_median_ms=_quantile(rtt, 0.5),
        rtt_max_ms=_quantile(rtt, 1.0),
        lateness_p99_ms=_quantile(lateness, 0.99),
        lateness_max_ms=_quantile(lateness, 1.0),
        lateness_bound_ms=bound_ms,
        void=_quantile(lateness, 1.0) > bound_ms,
        realtime=realtime,
        double_answers=double_answers,
    )


def lateness_bound_ms(period_s: float) -> float:
    """How late a send may be for the run to count."""
    return max(_LATENESS_FLOOR_MS, period_s * 1000 / 2)


def find_outages(samples: Sequence[Sample], period_s: float) -> list[Outage]:
    """All outages, in order. Loss before the first answer counts too: ``before`` is then empty."""
    found = []
    i = 0
    while i < len(samples):
        if samples[i].node:
            i += 1
            continue
        first = i
        while i < len(samples) and not samples[i].node:
            i += 1
        end_s = samples[i].sent_s if i < len(samples) else None
        last_s = end_s if end_s is not None else samples[-1].sent_s
        around = samples[max(0, first - _VOID_MARGIN_PERIODS) : i + 1 + _VOID_MARGIN_PERIODS]
        late_ms = max((sample.sent_s - sample.due_s) * 1000 for sample in around)
        found.append(
            Outage(
                start_s=samples[first].sent_s,
                end_s=end_s,
                ms=(last_s - samples[first].sent_s) * 1000,
                lost=i - first,
                before=samples[first - 1].node if first else "",
                after=samples[i].node if i < len(samples) else "",
                lateness_ms=late_ms,
                void=late_ms > lateness_bound_ms(period_s),
            )
        )
    return found


def find_segments(samples: Sequence[Sample]) -> list[Segment]:
    """Who answered when; unanswered sends do not end a segment."""
    found: list[Segment] = []
    for sample in samples:
        if not sample.node:
            continue
        if found and found[-1].node == sample.node:
            last = found[-1]
            found[-1] = Segment(last.node, last.start_s, sample.sent_s, last.answers + 1)
        else:
            found.append(Segment(sample.node, sample.sent_s, sample.sent_s, 1))
    return found


def _quantile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
