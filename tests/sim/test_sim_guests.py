"""Guests behind bridges in the simulator: only the node that has the guest answers, with whichever NIC is well."""

from functools import cache, partial

import pytest

from vipa.timing import PROFILES, Timing
from vipa_sim.figures import play_row, spread
from vipa_sim.guestrows import ROWS
from vipa_sim.scenarios import Result

SEEDS = 16


@cache
def runs(name: str) -> tuple[Result, ...]:
    return tuple(spread(partial(play_row, name, False), range(SEEDS)))


@pytest.mark.parametrize("name", ROWS)
def test_nobody_answers_beside_the_one_that_has_the_guest(name: str) -> None:
    assert [f"seed {r.seed}: {r.failures}" for r in runs(name) if r.failures] == []
    assert [f"seed {r.seed}: {r.overlaps}" for r in runs(name) if r.overlaps] == []


@pytest.mark.parametrize("name", ROWS)
def test_it_is_served_where_the_guest_is_in_the_end(name: str) -> None:
    goes = name in ("guest moves to another node", "guest's node dies")
    ends = [(r.seed, r.holder) for r in runs(name)]
    assert [(seed, before) for seed, (before, _) in ends if before != "n1/eth1"] == []
    assert [(seed, after) for seed, (_, after) in ends if after.split("/")[0] != ("n2" if goes else "n1")] == []


@pytest.mark.parametrize("name", ["guest, NIC loses carrier", "guest, NIC's path dies"])
def test_it_fails_over_between_the_nics_of_its_node(name: str) -> None:
    assert {r.holder[1] for r in runs(name)} == {"n1/eth2"}
    gaps = sorted(r.outage_ms for r in runs(name))
    assert gaps[len(gaps) // 2] <= 1000.0 * PROFILES[Timing.DEFAULT].silence_s + 25.0


def test_a_restarted_agent_goes_on_with_what_it_held() -> None:
    assert [(r.seed, r.outage_ms) for r in runs("guest, agent restarted") if r.outage_ms] == []
