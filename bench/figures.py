"""Figures over runs: nearest-rank quantiles, and one row per case and contender."""

import math
from collections.abc import Sequence

import msgspec

from records import Run


class Row(msgspec.Struct, frozen=True):
    """One case of one contender. ``n`` good runs, ``void`` others; durations in milliseconds over the good ones.

    ``unended``: runs whose outage lasted as long as they were watched, so the figures are at least that. ``tcp_broke``:
    runs, None where no TCP connection was open.
    """

    case: str
    contender: str
    n: int
    void: int
    outage_median_ms: float
    outage_p95_ms: float
    outage_max_ms: float
    unended: int
    lost: int
    sent: int
    cold_median_ms: float
    cold_max_ms: float
    two_median_ms: float
    two_max_ms: float
    tcp_broke: int | None


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value with at least ``share`` of all at or below it (nearest rank: always a value that was seen).
    ValueError without values."""
    if not values:
        raise ValueError("no values, so no quantile of them")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def row(case: str, contender: str, runs: Sequence[Run]) -> Row | None:
    """The figures of one case and contender; None when it has no good run."""
    all_runs = [run for run in runs if (run.case, run.contender) == (case, contender)]
    good = [run for run in all_runs if not run.void]
    if not good:
        return None
    outages = [run.outage_ms for run in good]
    colds = [run.cold_ms for run in good]
    twos = [run.two_ms for run in good]
    broken = [run.tcp_broke for run in good if run.tcp_broke is not None]
    return Row(
        case=case,
        contender=contender,
        n=len(good),
        void=len(all_runs) - len(good),
        outage_median_ms=quantile(outages, 0.5),
        outage_p95_ms=quantile(outages, 0.95),
        outage_max_ms=max(outages),
        unended=sum(not run.ended for run in good),
        lost=sum(run.lost for run in good),
        sent=sum(run.sent for run in good),
        cold_median_ms=quantile(colds, 0.5),
        cold_max_ms=max(colds),
        two_median_ms=quantile(twos, 0.5),
        two_max_ms=max(twos),
        tcp_broke=sum(broken) if broken else None,
    )
