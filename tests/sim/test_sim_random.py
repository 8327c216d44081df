"""Random worlds with one to four random faults, then everything is mended and the world must come to rest.

A failing seed is repeated with its timeline by ``python -m vipa_sim run --seed N``.
"""

import pytest

from vipa_sim.figures import run_random
from vipa_sim.runs import Outcome, run_seed

SEEDS_PER_TEST = 100
TESTS = 5


def report(bad: list[Outcome]) -> str:
    return "\n\n".join([bad[0].report(), *(f"seed {o.seed}: {'; '.join(o.failures)}" for o in bad)]) if bad else ""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS_PER_TEST * TESTS, SEEDS_PER_TEST))
def test_promises_hold_in_random_worlds(first: int) -> None:
    bad = [outcome for outcome in run_random(range(first, first + SEEDS_PER_TEST)) if outcome.failures]
    assert not bad, report(bad)


def test_a_seed_repeats_itself() -> None:
    one, again = run_seed(4), run_seed(4)
    assert (one.faults, one.rest_s, one.failures) == (again.faults, again.rest_s, again.failures)
    assert run_seed(5).faults != one.faults
