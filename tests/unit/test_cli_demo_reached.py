"""The demo's verdicts about clients behind a router, beside the one on the LAN."""

from dataclasses import replace

import pytest

from unit.fakes.demo_run import PORT, measured, probe
from vipa_cli.demo.acts import Act
from vipa_cli.demo.figures import FIGURES
from vipa_cli.demo.judge import Row, Verdict, judge
from vipa_cli.demo.reached import Reached, told

ACTS = {act.key: act for act in FIGURES[3].acts}
BY_BOTH = {"w1": 80, "w2": 40}
BY_W2 = {"w2": 120}


def row(act: Act, reached: Reached) -> Row:
    """Of a run without a fault on the LAN."""
    return judge(act, measured(act, probe(), remote=reached), PORT)


def reached(by: dict[str, int], outage_ms: float = 0.0, lost: int = 0, *, late: bool = False) -> Reached:
    return Reached(outage_ms, lost, 1000, by, late)


def test_every_act_of_figure_3_promises_remote_clients_something() -> None:
    assert all(act.remote is not None for act in ACTS.values())
    assert all(act.remote is None for number in (1, 2) for act in FIGURES[number].acts)


@pytest.mark.parametrize(
    ("key", "by"), [("cable", BY_W2), ("path", BY_BOTH), ("path", {}), ("quiet", {"w1": 80, "w2": 39, "": 1})]
)
def test_who_answers_them_is_exact_however_late_the_probe(key: str, by: dict[str, int]) -> None:
    found = row(ACTS[key], reached(by, late=True))
    assert found.verdict is Verdict.BROKEN
    assert found.why[0].startswith("remote clients are answered by ")


def test_what_is_wrong_is_said_by_machine() -> None:
    (why,) = row(ACTS["cable"], reached(BY_W2)).why
    assert why == "remote clients are answered by w2, and should be by w1 and w2"


@pytest.mark.parametrize(
    ("outage_ms", "verdict"),
    [(0.0, Verdict.KEPT), (100.0, Verdict.KEPT), (101.0, Verdict.SLOW), (501.0, Verdict.BROKEN)],
)
def test_an_outage_has_a_figure_and_a_bound(outage_ms: float, verdict: Verdict) -> None:
    assert row(ACTS["path"], reached(BY_W2, outage_ms, 3)).verdict is verdict


def test_a_planned_move_loses_nothing_of_theirs() -> None:
    assert row(ACTS["stop"], reached(BY_W2)).verdict is Verdict.KEPT
    lossy = row(ACTS["stop"], reached(BY_W2, 10.0, 1))
    assert (lossy.verdict, lossy.why) == (
        Verdict.BROKEN,
        ("1 of 1000 datagrams of remote clients were lost; none may be",),
    )


def test_a_late_probe_beyond_the_router_is_repeated() -> None:
    assert row(ACTS["stop"], reached(BY_W2, 10.0, 1, late=True)).verdict is Verdict.LATE


def test_before_anybody_serves_nothing_can_be_lost() -> None:
    found = row(ACTS["start"], reached(BY_BOTH, 400.0, 60))
    assert found.verdict is Verdict.KEPT
    assert found.remote is not None
    assert told(found.remote) == "longest outage 0 ms, 0 lost; answered by w1 67 %, w2 33 %"


def test_the_act_alone_decides_without_remote_clients() -> None:
    act = replace(ACTS["stop"], remote=None)
    assert judge(act, measured(act, probe()), PORT).verdict is Verdict.KEPT
