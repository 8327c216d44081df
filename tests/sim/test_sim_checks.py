"""Health checks, with the real core: a move because of one loses nothing, and goes where it should."""

from functools import cache, partial

import pytest

from vipa.timing import PROFILES, Timing, node_death_s
from vipa_sim.figures import play_row, spread
from vipa_sim.scenarios import Result

SEEDS = 16
NODES = ("n1", "n2", "n3")


@cache
def runs(name: str) -> tuple[Result, ...]:
    return tuple(spread(partial(play_row, name, False), range(SEEDS)))


def wrong(name: str, place: int) -> list[tuple[int, tuple[str, str]]]:
    """Seeds in which the virtual IP is not in the end where it should be: at this place among the other nodes."""
    others = {before: [n for n in NODES if n != before] for before in NODES}
    ends = [(r.seed, tuple(end.split("/")[0] for end in r.holder)) for r in runs(name)]
    return [(seed, (before, after)) for seed, (before, after) in ends if after != others[before][place]]


@pytest.mark.parametrize(
    "name", ["health check fails", "health check fails and passes", "health checks fail everywhere"]
)
def test_a_move_because_of_a_check_loses_nothing(name: str) -> None:
    assert [(r.seed, r.outage_ms, r.overlaps) for r in runs(name) if r.outage_ms > 0.0 or r.double] == []


def test_it_goes_to_the_next_that_passes() -> None:
    # but where another program holds up the successor's claim for longer than a silence: then the one after takes it
    assert len(wrong("health check fails", 0)) <= 1


def test_it_comes_back_after_the_delay() -> None:
    assert {r.holder[1] for r in runs("health check fails and passes")} == {"n1/eth1"}


def test_where_all_fail_the_last_that_passed_keeps_it() -> None:
    assert len(wrong("health checks fail everywhere", -1)) <= 1  # for the same reason


@pytest.mark.parametrize("name", ["all checks fail, holder dies", "first spare fails, holder dies"])
def test_a_dead_holder_is_replaced_as_fast_as_ever(name: str) -> None:
    assert [r.overlaps for r in runs(name) if r.double] == []
    assert wrong(name, 0 if name.startswith("all") else 1) == []
    gaps = sorted(r.outage_ms for r in runs(name))
    assert gaps[len(gaps) // 2] <= 1000.0 * node_death_s(PROFILES[Timing.DEFAULT]) + 10.0
