"""Many virtual IPs on a node that dies: they are taken over together, each once, under the judge."""

from dataclasses import replace
from random import Random

from vipa.plan import FailbackPolicy
from vipa.timing import PROFILES, Timing, node_death_s
from vipa_sim.faults import Faults
from vipa_sim.scenarios import THREE, Row, play
from vipa_sim.world import World, real_cores

COUNT = 40
SEEDS = 4
PROFILE = PROFILES[Timing.DEFAULT]
# Stalls and slow commits between the steps of a takeover.
WAVES_MS = 200.0


def _first_dies(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.power_off("n1")
    return 3.0


def test_all_of_a_dead_node_s_are_served_again_by_one_each() -> None:
    shape = replace(THREE, vips=COUNT, failback=FailbackPolicy.IMMEDIATE)
    for seed in range(SEEDS):
        result = play(seed, Row(_first_dies, shape, spread_s=0.0), real_cores())
        assert (result.failures, result.overlaps) == ([], []), f"seed {seed}:\n" + "\n".join(result.trace)
        assert 0.0 < result.outage_ms <= 1000.0 * node_death_s(PROFILE) + WAVES_MS, f"seed {seed}"
