"""One seed: cold start, random faults, then everything is mended and the world must come to rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from random import Random

from vipa_sim.chance import FAULTS_MAX, Chance, random_shape
from vipa_sim.faults import Faults
from vipa_sim.judge import Overlap
from vipa_sim.world import MakeCore, Shape, World, real_cores

START_SPREAD_S = 0.3
SETTLE_MAX_S = 6.0  # Calm: listen 0.8 s, claim 3 × 50 ms per rank, after the last agent's start; and stalls
REST_S = 1.0  # nothing may move for this long
REST_MAX_S = 14.0  # a client whose side saw no announcement ages its entry in 8 s and asks once a second
LOOK_S = 0.05
EVERYWHERE_EACH = 5  # so many worlds for one in which every candidate has the address


@dataclass(slots=True)
class Outcome:
    """What one run showed. ``failures`` is empty when every promise held; ``rest_s`` is from mending to rest."""

    seed: int
    shape: Shape
    faults: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    rest_s: float = 0.0
    aged: int = 0
    trace: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Everything a person needs to repeat and understand a failed run."""
        head = [f"seed {self.seed}: {self.shape}", *(f"  fault at {fault}" for fault in self.faults)]
        return "\n".join([*head, *self.trace, *(f"FAILED: {failure}" for failure in self.failures)])


def settle(world: World, limit_s: float) -> list[str]:
    """Run until the world is at rest, at most ``limit_s``; what is still unsettled."""
    end_s = world.engine.now + limit_s
    wrong = world.unsettled()
    while wrong and world.engine.now < end_s:
        world.run(LOOK_S)
        wrong = world.unsettled()
    return wrong


def rest(world: World, limit_s: float = REST_MAX_S) -> list[str]:
    """Run until the world is settled and nothing has moved for :data:`REST_S`; what prevented it within the limit."""
    end_s = world.engine.now + limit_s
    calm_since = world.engine.now
    while True:
        wrong = world.unsettled()
        if wrong:
            calm_since = world.engine.now
        quiet_s = world.engine.now - max(calm_since, world.last_move_s)
        if not wrong and quiet_s >= REST_S:
            return []
        if world.engine.now >= end_s:
            return wrong or [f"nodes still act {limit_s:.0f} s after everything was mended"]
        world.run(LOOK_S)


def cold_start(
    world: World, rng: Random, spread_s: float = START_SPREAD_S, absent: Collection[str] = frozenset()
) -> None:
    """Boot all nodes but those ``absent``; their agents start within ``spread_s``."""
    world.start_stations()
    for name in (name for name in world.machines if name not in absent):
        Faults(world).start(name, rng.random() * spread_s)


def run_seed(seed: int, make_core: MakeCore | None = None, shape: Shape | None = None, trace: int = 60) -> Outcome:
    """One whole random run; the same seed gives the same run."""
    rng = Random(f"faults {seed}")
    shape = shape or replace(random_shape(rng), everywhere=seed % EVERYWHERE_EACH == 0)
    world = World(seed, shape, make_core or real_cores(shape.keyed))
    outcome = Outcome(seed, shape)
    cold_start(world, rng)
    world.run(START_SPREAD_S)
    outcome.failures += [f"cold start: {wrong}" for wrong in settle(world, SETTLE_MAX_S)]
    chance = Chance(world, rng)
    world.run(chance.plan(rng.randint(1, FAULTS_MAX)))
    outcome.faults = chance.planned
    Faults(world).mend_all()
    mended_s = world.engine.now
    outcome.failures += [f"after mending: {wrong}" for wrong in rest(world)]
    outcome.rest_s = world.engine.now - mended_s - REST_S
    outcome.failures += world.judge.failures()
    outcome.overlaps = world.judge.overlaps()
    outcome.aged = sum(client.aged for client in world.clients)
    if outcome.failures:
        first = world.judge.double_claims()
        outcome.trace = world.trace.lines(first[0].end_s + 0.001 if first else None, trace)
    return outcome
