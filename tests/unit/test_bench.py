"""The benchmark's arithmetic and its memory: figures over runs, overlaps counted once, a line cut short."""

from pathlib import Path

import msgspec
import pytest

from failover import tally
from figures import quantile, row
from measure import covered_ms
from records import Run, append, read
from report import render
from vipa_lab.verdict import Overlap

GOOD = Run(
    case="node-death",
    contender="vipa Default",
    outage_ms=88.0,
    ended=True,
    lost=44,
    sent=1000,
    cold_ms=90.0,
    two_ms=0.0,
    tcp_broke=None,
    took_over="w2",
    lateness_ms=0.4,
    void="",
    date="2026-01-31",
    machine="2 × CPU",
    commit="0123456789",
)
VOID = msgspec.structs.replace(GOOD, outage_ms=900.0, void="probe late by 9.0 ms beside an outage")


def overlap(start_s: float, end_s: float, port: str) -> Overlap:
    return Overlap("10.1.1.7", port, start_s, end_s, ("02:a", "02:b"), "same request")


def test_runs_are_remembered_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "runs.jsonl"
    assert read(path) == []
    append(path, GOOD)
    append(path, VOID)
    assert read(path) == [GOOD, VOID]
    good, void = tally(read(path))
    assert (good["node-death", "vipa Default"], void["node-death", "vipa Default"]) == (1, 1)


def test_a_line_cut_short_is_left_out_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append(path, GOOD)
    with path.open("ab") as lines:
        lines.write(msgspec.json.encode(GOOD)[:-20])
    assert read(path) == [GOOD]
    append(path, VOID)
    assert read(path) == [GOOD, VOID]


@pytest.mark.parametrize(("share", "value"), [(0.5, 15), (0.95, 29), (1.0, 30), (0.0, 1)])
def test_quantiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert quantile([float(n) for n in range(30, 0, -1)], share) == value


def test_no_values_have_no_quantile() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


def test_void_runs_are_counted_and_not_used() -> None:
    figures = row("node-death", "vipa Default", [GOOD, VOID, GOOD])
    assert figures is not None
    assert (figures.n, figures.void, figures.outage_max_ms, figures.lost) == (2, 1, 88.0, 88)
    assert row("node-death", "vipa Default", [VOID]) is None


def test_an_overlap_seen_by_several_receivers_counts_once() -> None:
    seen = [overlap(1.0, 2.0, "c1"), overlap(1.5, 2.5, "r1"), overlap(1.6, 1.7, "w1"), overlap(4.0, 4.25, "c1")]
    assert covered_ms(seen) == pytest.approx(1750)
    assert covered_ms([]) == 0


def test_the_report_says_figures_promise_machine_and_what_never_ended() -> None:
    endless = msgspec.structs.replace(GOOD, contender="vipa Fast", outage_ms=5000.0, ended=False)
    page = render([GOOD, VOID, endless])
    assert "| vipa Default | 1 (1) | 88 / 88 / 88 | 44 of 1,000 | 90 / 90 | 0 / 0 |" in page
    assert "≥ 5000" in page
    assert "Default median ≤ 100 ms" in page
    assert "2 × CPU" in page
    assert "make bench-failover" in page
