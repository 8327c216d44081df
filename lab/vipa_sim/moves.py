"""The planned moves of rule 4, each begun as operator, command line and service manager begin them.

In all of them the nodes ``n1`` and ``n2`` have two NICs each, ``n3`` has one, and ``n1`` and ``n2`` exchange the first
virtual IP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from vipa.plan import Endpoint, FailbackPolicy, Plan, PlannedVip, Policy
from vipa_sim.faults import Faults
from vipa_sim.world import Shape

if TYPE_CHECKING:
    from vipa_sim.world import World

QUIET = Shape(
    nics=(2, 2, 1), failback=FailbackPolicy.DELAYED, failback_delay_s=0.5, stalls_per_s=1e-6, slow_commits=0.0
)
SPREAD_S = 0.010  # shares of a changed plan reach the nodes within so much of each other
FOLLOWED_S = 1.0  # an operator hears of the new holder, and writes what follows, about so much later


@dataclass(frozen=True, slots=True)
class PlannedMove:
    """``begin`` starts it in a settled world; ``old`` hands over to ``new``. ``absent``: nodes that are off before."""

    begin: Callable[[World], None]
    old: str = "n1"
    new: str = "n2"
    shape: Shape = QUIET
    absent: tuple[str, ...] = ()


def ends(world: World, nodes: Iterable[str]) -> tuple[Endpoint, ...]:
    """Endpoints of these nodes, in this order."""
    return tuple(Endpoint(nic.address, name, nic.name) for name in nodes for nic in world.machines[name].nics.values())


def give(world: World, succession: tuple[Endpoint, ...], failback: FailbackPolicy | None = None) -> None:
    """A new plan of all virtual IPs reaches the nodes one after another, in an order drawn from the seed."""
    policy = Policy(world.shape.timing, failback or world.shape.failback, world.shape.failback_delay_s)
    vips = tuple(
        PlannedVip(vip.name, vip.addresses, succession, policy, vip.checks, vip.everywhere) for vip in world.plan.vips
    )
    world.plan = Plan(world.plan.epoch + 1, vips)
    for machine in world.nodes_of(""):
        share = world.plan_for(machine, world.plan)
        if all(endpoint.node != machine.name for endpoint in succession):
            share = without_vips(share)  # a node is told of nothing that it is no candidate of
        world.engine.after(world.rng.random() * SPREAD_S, machine.give_plan, share)


def without_vips(plan: Plan) -> Plan:
    """The same plan without any virtual IP."""
    return Plan(plan.epoch, ())


def _failback(world: World) -> None:
    Faults(world).start("n1", 0.0)


def _asked_for(world: World) -> None:
    """``vipa move``: the target first and at once; when it holds, the policy as it was."""
    order = ends(world, ("n2", "n1", "n3"))
    give(world, order, FailbackPolicy.IMMEDIATE)
    world.engine.after(FOLLOWED_S, _follow, world, "n1", partial(give, world, order))


def _drain(world: World) -> None:
    """The holder's endpoint last and at once; when another holds, without its node."""
    others = ends(world, ("n2", "n3"))
    give(world, (*others, ends(world, ("n1",))[0]), FailbackPolicy.IMMEDIATE)
    world.engine.after(FOLLOWED_S, _follow, world, "n1", partial(give, world, others))


def _follow(world: World, left: str, then: Callable[[], None]) -> None:
    """An operator: once another node than ``left`` holds, ``then``."""
    holder = world.holder(world.addresses[0])
    if holder is not None and holder[0] != left:
        then()
    else:
        world.engine.after(FOLLOWED_S, _follow, world, left, then)


def _reorder(world: World) -> None:
    give(world, ends(world, ("n2", "n1", "n3")))


def _off_the_list(world: World) -> None:
    """As a changed folder of manifests tells it: at once without the holder's endpoints."""
    succession = ends(world, ("n2", "n3"))
    world.plan = Plan(world.plan.epoch, tuple(with_succession(v, succession) for v in world.plan.vips))
    for machine in world.nodes_of(""):
        share = world.plan_for(machine, world.plan)
        world.engine.after(world.rng.random() * SPREAD_S, machine.give_plan, share)


def with_succession(vip: PlannedVip, succession: tuple[Endpoint, ...]) -> PlannedVip:
    """The same virtual IP with other candidates."""
    return PlannedVip(vip.name, vip.addresses, succession, vip.policy, vip.checks, vip.everywhere)


def _stop(world: World) -> None:
    Faults(world).stop("n1")


NEVER_BACK = replace(QUIET, failback=FailbackPolicy.NEVER)

MOVES: Mapping[str, PlannedMove] = {
    "failback": PlannedMove(_failback, old="n2", new="n1", absent=("n1",)),
    "move": PlannedMove(_asked_for, shape=NEVER_BACK),
    "SIGTERM": PlannedMove(_stop),
    "drain": PlannedMove(_drain),
    "reorder": PlannedMove(_reorder),
    "off the list": PlannedMove(_off_the_list),
}
