"""One named situation per function: a settled world, one fault at a moment drawn from the seed, and what came of it.

These are the rows of the table "Simulated" in docs/design/0002-election.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random

from vipa.election.handover import RETRY_S
from vipa.plan import FailbackPolicy
from vipa.timing import PROFILES, Timing
from vipa_sim.faults import Faults
from vipa_sim.judge import Overlap
from vipa_sim.runs import SETTLE_MAX_S, cold_start, settle
from vipa_sim.world import MakeCore, Shape, World

CLIENT_S = 0.001  # the clients' pace here: what the figures' resolution is
THREE = Shape(nics=(1, 1, 1))
FAILBACK_S = 1.0  # long enough to be told from "at once"


@dataclass(slots=True)
class Result:
    """What one run of a situation showed. ``outage_ms``: the client's longest gap since the fault (0: none lost);
    ``holder``: (before, after), as node/interface, ``-`` when there is not exactly one."""

    seed: int
    outage_ms: float
    overlaps: list[Overlap]
    holder: tuple[str, str]
    failures: list[str]
    trace: list[str]

    @property
    def double(self) -> bool:
        """Two nodes answered at once."""
        return bool(self.overlaps)


Fault = Callable[[World, Faults, str, Random], float]
"""Strikes, given the holder's node name; seconds to watch afterwards."""


def play(seed: int, row: Row, make_core: MakeCore, trace: int = 60) -> Result:
    """Cold start, settle, wait a moment, strike, watch."""
    rng = Random(f"scenario {seed}")
    world = World(seed, row.shape, make_core)
    for client in world.clients:
        client.period_s = CLIENT_S
    cold_start(world, rng, row.spread_s, row.absent)
    world.run(row.spread_s)
    failures = [f"cold start: {wrong}" for wrong in settle(world, SETTLE_MAX_S)]
    world.run(0.5 + rng.random() * 0.3)
    before = _holder(world)
    struck_s = world.engine.now
    world.run(row.fault(world, Faults(world), before.split("/")[0], rng))
    gaps = [1000.0 * (o.end_s - o.start_s) for c in world.clients for o in c.outages if o.end_s > struck_s]
    overlaps = world.judge.overlaps()
    failures += world.judge.accusations
    first = max((o.end_s for o in overlaps), default=None)
    lines = world.trace.lines(first, trace)
    return Result(seed, max(gaps, default=0.0), overlaps, (before, _holder(world)), failures, lines)


def _holder(world: World) -> str:
    holder = world.holder(world.addresses[0])
    return f"{holder[0]}/{holder[1].name}" if holder else "-"


def _power_off(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.power_off(holder)
    return 2.0


def _power_off_slow(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.power_off(holder)
    return 4.0


def _deaf(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.path(holder, "eth1", deaf=True)
    return 2.0


def _mute(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.path(holder, "eth1", mute=True)
    return 2.0


def _blocked(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.path(holder, "eth1", blocked=True)
    return 2.0


def _carrier(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.carrier(holder, "eth1", up=False)
    return 2.0


def _nothing(world: World, faults: Faults, holder: str, rng: Random) -> float:
    return 2.0


def _restart(world: World, faults: Faults, holder: str, rng: Random) -> float:
    permit_s = PROFILES[world.shape.timing].permit_s
    faults.kill(holder, back_after_s=rng.uniform(0.02, permit_s * 0.5))
    return 2.0


def _restart_late(world: World, faults: Faults, holder: str, rng: Random) -> float:
    permit_s = PROFILES[world.shape.timing].permit_s
    faults.kill(holder, back_after_s=permit_s + rng.uniform(-0.2, 0.5))
    return 3.0


def _killed(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.kill(holder)
    return 3.0


def _two_die(world: World, faults: Faults, holder: str, rng: Random) -> float:
    other = rng.choice([name for name in world.machines if name != holder])
    faults.power_off(holder)
    world.run(rng.random() * 0.03)
    faults.power_off(other)
    return 2.0


def _loss(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.loss(0.3)
    return 60.0


def _loss_short(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.loss(0.3)
    return 10.0


def _epochs(world: World, faults: Faults, holder: str, rng: Random) -> float:
    plan = world.make_plan(1, rng)
    for machine in world.nodes_of(""):
        world.engine.after(rng.random() * 2.0, machine.give_plan, world.plan_for(machine, plan))
    return 4.0


def _frozen(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.freeze(holder)
    world.engine.after(rng.uniform(0.1, 3.0), faults.thaw, holder)
    return 4.5


def _frozen_long(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.freeze(holder)
    world.engine.after(2.0, faults.thaw, holder)
    return 3.5


def _foreign(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.foreign_owner(world.addresses[0])
    return 2.0


def _check_fails(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.health(holder, passes=False)
    return 2.0


def _check_returns(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.health(holder, passes=False)
    back_s = rng.uniform(0.01, 1.0)
    faults.after(back_s, lambda: faults.health(holder, passes=True))
    return back_s + FAILBACK_S + RETRY_S + 1.0  # another program may hold up the successor's claim once


def _all_checks_fail(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """The holder's first, and one node's last: that one is to hold it in the end, and to keep it."""
    for number, node in enumerate((holder, *(name for name in world.machines if name != holder))):
        faults.after(0.3 * number, lambda node=node: faults.health(node, passes=False))  # type: ignore[misc]
    return 3.0


def _failing_holder_dies(world: World, faults: Faults, holder: str, rng: Random) -> float:
    for node in (*(name for name in world.machines if name != holder), holder):
        faults.health(node, passes=False)
        world.run(0.2)
    faults.power_off(holder)
    return 2.0


def _spare_fails_and_holder_dies(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """The first spare fails: the second takes over, and no later than a first one would."""
    faults.health(next(name for name in world.machines if name != holder), passes=False)
    world.run(0.2)
    faults.power_off(holder)
    return 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """A situation with the world it happens in. ``absent``: nodes that are off when it begins. ``stays``: nothing may
    move."""

    fault: Fault
    shape: Shape = THREE
    spread_s: float = 0.3
    absent: tuple[str, ...] = ()
    stays: bool = False

    def play(self, seed: int, make_core: MakeCore, trace: int = 60) -> Result:
        """One run, with the last ``trace`` lines of its timeline."""
        return play(seed, self, make_core, trace)


CHECKED = replace(THREE, checked=True, failback=FailbackPolicy.NEVER)
QUIET = replace(CHECKED, slow_commits=0.0, stalls_per_s=0.001)  # who claims first is the rank's doing alone
RETURNS = replace(CHECKED, failback=FailbackPolicy.DELAYED, failback_delay_s=FAILBACK_S)
TWO_NICS = replace(THREE, nics=(2, 2), failback=FailbackPolicy.NEVER)

ROWS: Mapping[str, Row] = {
    "power-off, Fast": Row(_power_off, replace(THREE, timing=Timing.FAST)),
    "power-off, Default": Row(_power_off),
    "power-off, Calm": Row(_power_off_slow, replace(THREE, timing=Timing.CALM)),
    "holder deaf": Row(_deaf),
    "holder mute": Row(_mute),
    "holder's port blocked": Row(_blocked),
    "NIC loses carrier": Row(_carrier, TWO_NICS),
    "NIC's path dies": Row(_blocked, TWO_NICS),
    "NIC deaf": Row(_deaf, TWO_NICS),
    "NIC mute": Row(_mute, TWO_NICS),
    "cold start": Row(_nothing),
    "cold start at once": Row(_nothing, spread_s=0.0),
    "restart inside the permit": Row(_restart),
    "restart about the permit's end": Row(_restart_late),
    "agent killed, stays dead": Row(_killed),
    "two die at once": Row(_two_die, replace(THREE, nics=(1, 1, 1, 1))),
    "30 % loss, 60 s": Row(_loss),
    "30 % loss, 10 s": Row(_loss_short),
    "staggered epochs": Row(_epochs),
    "frozen holder, two spares": Row(_frozen),
    "frozen holder, two spares, 2 s": Row(_frozen_long),
    "foreign owner appears": Row(_foreign),
    "health check fails": Row(_check_fails, CHECKED),
    "health check fails and passes": Row(_check_returns, RETURNS, spread_s=0.0),
    "health checks fail everywhere": Row(_all_checks_fail, CHECKED),
    "all checks fail, holder dies": Row(_failing_holder_dies, QUIET),
    "first spare fails, holder dies": Row(_spare_fails_and_holder_dies, QUIET),
}
