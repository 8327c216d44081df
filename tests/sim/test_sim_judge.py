"""The judge judged: bad cores must be caught, a decent one must pass, and the seed alone decides the run."""

from collections.abc import Callable
from random import Random

import pytest

from vipa_sim.faults import Faults
from vipa_sim.process import Core, Identity
from vipa_sim.runs import cold_start, rest, settle
from vipa_sim.world import Shape, World

MakeCore = Callable[[Identity], Core]
Scripted = Callable[..., MakeCore]
TWO = Shape(nics=(1, 1), observer=True)


def started(make_core: MakeCore, seed: int = 1, shape: Shape = TWO) -> World:
    world = World(seed, shape, make_core)
    cold_start(world, Random(seed))
    world.run(0.7)
    return world


def test_a_core_that_claims_without_asking_is_caught(scripted: Scripted) -> None:
    world = started(scripted(patience=0))
    world.run(1.0)
    assert world.judge.double_claims()
    assert any("two answerers" in failure for failure in world.judge.failures())
    assert any("instead of one" in wrong for wrong in world.unsettled())


def test_the_observer_on_the_wire_sees_what_the_judge_sees(scripted: Scripted) -> None:
    world = started(scripted(patience=0))
    world.run(1.0)
    assert world.observer is not None
    assert [asked for asked in world.observer.asked if len(asked.macs) == 2]
    decent = started(scripted())
    decent.run(1.0)
    assert decent.observer is not None
    assert not [asked for asked in decent.observer.asked if len(asked.macs) > 1]
    assert [asked for asked in decent.observer.asked if len(asked.macs) == 1]


def test_a_five_millisecond_overlap_is_caught_and_measured(scripted: Scripted) -> None:
    world = started(scripted())
    assert settle(world, 3.0) == []
    holder = world.holder(world.addresses[0])
    assert holder is not None
    other = next(m for name, m in world.machines.items() if name != holder[0])
    vip = (world.addresses[0],)
    other.kernel.bind(vip, ("eth1",))
    other.kernel.guarded = set(vip)
    other.kernel.begin_claim(vip, world.engine.now + 0.1)
    other.kernel.permit(vip, "eth1", world.engine.now + 0.005, world.engine.now)
    other.permit_set("eth1", ok=True)
    world.judge.look("kernel")
    world.run(0.1)
    (overlap,) = world.judge.double_claims()
    assert overlap.ms == pytest.approx(5.0, abs=0.01)
    assert other.name in overlap.who


def test_a_decent_core_settles_survives_power_off_and_stays_alone(scripted: Scripted) -> None:
    world = started(scripted())
    assert settle(world, 3.0) == []
    holder = world.holder(world.addresses[0])
    assert holder is not None
    struck_s = world.engine.now
    Faults(world).power_off(holder[0])
    assert settle(world, 3.0) == []
    assert rest(world) == []
    assert world.judge.failures() == []
    (outage,) = [o for o in world.clients[0].outages if o.start_s >= struck_s]
    assert 0.02 < outage.end_s - outage.start_s < 1.0


def test_untimed_permits_are_caught_when_a_split_heals(scripted: Scripted) -> None:
    world = started(scripted(permit_s=None))
    assert settle(world, 3.0) == []
    faults = Faults(world)
    faults.split([["n1"]])
    world.run(1.0)
    assert world.judge.failures() == []
    faults.join()
    world.run(0.9)
    assert world.judge.failures() == []
    world.run(0.3)
    assert any("at heal" in failure for failure in world.judge.failures())


def test_acting_on_an_unplanned_address_is_caught(scripted: Scripted) -> None:
    def stray(identity: Identity) -> Core:
        core = scripted()(identity)
        step = core.step

        def wrong(now: float, event: object) -> object:
            actions = step(now, event)  # type: ignore[arg-type]
            core.addresses = ("10.9.9.9",)  # type: ignore[attr-defined]
            return actions

        core.step = wrong  # type: ignore[method-assign,assignment]
        return core

    world = started(stray)
    world.run(1.0)
    assert any("10.9.9.9" in failure for failure in world.judge.failures())


def test_one_seed_is_one_run(scripted: Scripted) -> None:
    def timeline(seed: int) -> list[str]:
        world = started(scripted(), seed)
        Faults(world).freeze("n1")
        world.run(1.0)
        return world.trace.lines(count=1000)

    assert timeline(7) == timeline(7)
    assert timeline(7) != timeline(8)
