"""``binding: EveryCandidate`` in the simulator: every running node has the address, one answers, whatever strikes."""

from dataclasses import replace
from functools import partial

import pytest

from vipa_sim.figures import spread
from vipa_sim.rows import ROWS
from vipa_sim.scenarios import Result, play
from vipa_sim.world import real_cores

SEEDS = 8


def everywhere(name: str, seed: int) -> Result:
    row = ROWS[name]
    return play(seed, replace(row, shape=replace(row.shape, everywhere=True)), real_cores())


@pytest.mark.parametrize(
    "name", ["power-off, Default", "NIC's path dies", "restart inside the permit", "frozen holder, two spares, 2 s"]
)
def test_one_answers_beside_the_copies(name: str) -> None:
    results = spread(partial(everywhere, name), range(SEEDS))
    assert [f"seed {r.seed}: {r.failures}" for r in results if r.failures] == []
    assert [f"seed {r.seed}: {r.overlaps}" for r in results if r.overlaps] == []
    assert [r.seed for r in results if "/" not in r.holder[1]] == []
