"""Many seeds of every situation, spread over the machine's cores, and the table that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TypeVar

from vipa_sim.rows import ROWS
from vipa_sim.runs import Outcome, run_seed
from vipa_sim.scenarios import Result
from vipa_sim.world import real_cores

T = TypeVar("T")
CHUNK = 4  # seeds per message to a worker: long enough to hide its cost, short enough to keep both cores busy


S = TypeVar("S")


def spread(work: Callable[[S], T], seeds: Iterable[S], workers: int | None = None) -> Iterator[T]:
    """``work(seed)`` for every seed, in order, on ``workers`` processes (None: one per core)."""
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(work, seeds, chunksize=CHUNK)


def play_row(name: str, from_suspicion: bool, seed: int, trace: int = 60) -> Result:
    """One run of the row ``name`` with the real election core."""
    return ROWS[name].play(seed, real_cores(count_from_suspicion=from_suspicion), trace)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: outages in ms over the runs in which the client lost something at all."""

    name: str
    runs: int
    median_ms: float
    p95_ms: float
    max_ms: float
    doubles: int
    double_max_ms: float
    failures: int

    def __str__(self) -> str:
        share = f"{self.doubles}/{self.runs}" + (f" (≤ {self.double_max_ms:.0f} ms)" if self.doubles else "")
        failed = f"  {self.failures} FAILED" if self.failures else ""
        times = f"{self.median_ms:8.0f} {self.p95_ms:8.0f} {self.max_ms:8.0f}"
        return f"{self.name:<34} {self.runs:>5} {times}   {share}{failed}"


HEADER = f"{'situation':<34} {'runs':>5} {'median':>8} {'p95':>8} {'max ms':>8}   two answerers in"


def summarise(name: str, results: Sequence[Result]) -> Line:
    """Median, p95 and maximum of the client's outage, and how often two nodes answered."""
    gaps = sorted(r.outage_ms for r in results)
    longest = max((o.ms for r in results for o in r.overlaps), default=0.0)
    p95 = gaps[min(len(gaps) - 1, int(len(gaps) * 0.95))]
    doubles = sum(r.double for r in results)
    failures = sum(bool(r.failures) for r in results)
    return Line(name, len(results), median(gaps), p95, gaps[-1], doubles, longest, failures)


def run_rows(names: Iterable[str], seeds: Sequence[int], from_suspicion: bool = False) -> Iterator[Line]:
    """One line per named row."""
    for name in names:
        yield summarise(name, list(spread(partial(play_row, name, from_suspicion), seeds)))


def run_random(seeds: Sequence[int], trace: int = 60) -> Iterator[Outcome]:
    """Random worlds with random faults."""
    yield from spread(partial(run_seed, trace=trace), seeds)
