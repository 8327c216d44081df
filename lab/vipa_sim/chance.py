"""Random worlds and random faults, all from one ``Random``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

from vipa.plan import FailbackPolicy
from vipa.timing import Timing
from vipa_sim.drawing import Strike
from vipa_sim.hardchance import HardChance
from vipa_sim.world import Shape

FAULTS_MAX = 4
LASTS_MAX_S = 2.5
AMBUSHED = ("BeginClaim", "Permit", "Move", "Revoke", "Bind", "Unbind", "Adopt")


def random_shape(rng: Random) -> Shape:
    """2–4 nodes with 1–3 NICs each, mostly Default timing."""
    nodes = rng.choice((2, 3, 3, 3, 4))
    return Shape(
        nics=tuple(rng.choice((1, 1, 2, 2, 3) if nodes < 4 else (1, 1, 2)) for _ in range(nodes)),
        vips=rng.choice((1, 1, 2)),
        timing=rng.choice((Timing.DEFAULT,) * 7 + (Timing.FAST,) * 2 + (Timing.CALM,)),
        failback=rng.choice(tuple(FailbackPolicy)),
        gateway=rng.random() < 0.85,
        neighbours=rng.choice((0, 1, 2)),
        keyed=rng.random() < 0.1,
        by_address=rng.random() < 0.3,
        strict_arp=rng.random() < 0.3,
        checked=rng.random() < 0.4,
        rivals=rng.choice(((1,), (1, 1), (2, 1))) if rng.random() < 0.07 else (),
    )


class Chance(HardChance):
    """Draws faults and puts them on the world's clock."""

    def plan(self, count: int) -> float:
        """Schedule ``count`` faults from now on; seconds until the last one is over or left to be mended."""
        kinds: tuple[tuple[Strike, float], ...] = (
            (self._power, 3),
            (self._carrier, 3),
            (self._flap, 1),
            (self._path, 4),
            (self._kill, 3),
            (self._freeze, 4),
            (self._split, 2),
            (self._cut, 1),
            (self._loss, 2),
            (self._storm, 1),
            (self._epoch, 2),
            (self._recreate, 1),
            (self._ambush, 3),
            (self._stop, 1),
            (self._two_die, 1),
            (self._health, 3 if self._world.shape.checked else 0),
            *self.hardships(),
        )
        end_s = 0.0
        for _ in range(count):
            strike = self._rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
            at_s = self._rng.uniform(0.05, LASTS_MAX_S)
            lasts_s = self._rng.choice((0.05, 0.3, 0.6, 1.0, LASTS_MAX_S)) * (0.2 + self._rng.random())
            strike(at_s, lasts_s)
            end_s = max(end_s, at_s + lasts_s)
        return end_s + 0.2

    # Kinds

    def _power(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, f"power-off {node}", partial(self._faults.power_off, node))
        if self._rng.random() < 0.6:
            back = partial(self._faults.start, node, self._rng.uniform(0.05, 0.5))
            self._at(at_s + lasts_s, f"boot {node}", back)

    def _two_die(self, at_s: float, lasts_s: float) -> None:
        for node in self._rng.sample(sorted(self._world.machines), 2):
            self._at(at_s + self._rng.random() * 0.05, f"power-off {node}", partial(self._faults.power_off, node))

    def _carrier(self, at_s: float, lasts_s: float) -> None:
        node, nic = self._nic()
        self._at(at_s, f"carrier down {node}/{nic}", partial(self._faults.carrier, node, nic, up=False))
        self._at(at_s + lasts_s, f"carrier up {node}/{nic}", partial(self._faults.carrier, node, nic, up=True))

    def _flap(self, at_s: float, lasts_s: float) -> None:
        node, nic = self._nic()
        period_s = self._rng.uniform(0.01, 0.3)
        for number in range(self._rng.randint(2, 8) * 2):
            up = number % 2 == 1
            change = partial(self._faults.carrier, node, nic, up=up)
            self._at(at_s + number * period_s, f"carrier {'up' if up else 'down'} {node}/{nic}", change)

    def _path(self, at_s: float, lasts_s: float) -> None:
        node, nic = self._nic()
        how = self._rng.choice(("blocked", "deaf", "mute"))
        self._at(at_s, f"path {how} {node}/{nic}", partial(self._faults.path, node, nic, **{how: True}))
        self._at(at_s + lasts_s, f"path mended {node}/{nic}", partial(self._faults.path, node, nic))

    def _kill(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        back = None if self._rng.random() < 0.2 else lasts_s
        self._at(at_s, f"kill {node}, back after {back}", partial(self._faults.kill, node, back))

    def _stop(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, f"stop {node}", partial(self._faults.stop, node))

    def _freeze(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, f"freeze {node}", partial(self._faults.freeze, node))
        self._at(at_s + lasts_s, f"thaw {node}", partial(self._faults.thaw, node))

    def _health(self, at_s: float, lasts_s: float) -> None:
        """Fails and passes again, once or more often; at times on another node too."""
        for node in sorted({self._busy_node(), self._node()}) if self._rng.random() < 0.5 else [self._busy_node()]:
            for number in range(self._rng.choice((1, 1, 3))):
                start_s = at_s + 2.0 * number * lasts_s
                self._at(start_s, f"health check fails {node}", partial(self._faults.health, node, passes=False))
                end_s = start_s + lasts_s
                self._at(end_s, f"health check passes {node}", partial(self._faults.health, node, passes=True))

    def _split(self, at_s: float, lasts_s: float) -> None:
        world = self._world
        names = sorted(world.machines) + [s.address for s in (*world.stations, *world.clients)]
        group = [name for name in names if self._rng.random() < 0.5]
        self._at(at_s, f"split {','.join(group)}", partial(self._faults.split, [group]))
        self._at(at_s + lasts_s, "join", self._faults.join)

    def _cut(self, at_s: float, lasts_s: float) -> None:
        one, other = self._rng.sample(sorted(self._world.machines), 2)
        self._at(at_s, f"cut {one} / {other}", partial(self._faults.cut, one, other))
        self._at(at_s + lasts_s, "join", self._faults.join)

    def _loss(self, at_s: float, lasts_s: float) -> None:
        self._at(at_s, "loss 30%", partial(self._faults.loss, 0.3))
        self._at(at_s + lasts_s, "loss 0%", partial(self._faults.loss, 0.0))

    def _storm(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, f"storm {node}", partial(self._faults.storm, node))
        self._at(at_s + lasts_s, f"calm {node}", partial(self._faults.storm, node, on=False))

    def _epoch(self, at_s: float, lasts_s: float) -> None:
        """A new plan, with another order, reaches the nodes one after another."""
        world = self._world
        plan = world.make_plan(world.plan.epoch + 1, self._rng)
        world.plan = plan
        for machine in world.nodes_of(""):
            give = partial(machine.give_plan, world.plan_for(machine, plan))
            self._at(at_s + self._rng.random() * lasts_s, f"epoch {plan.epoch} reaches {machine.name}", give)

    def _recreate(self, at_s: float, lasts_s: float) -> None:
        node, nic = self._nic()
        again = partial(self._faults.recreate, node, nic, lasts_s)
        self._at(at_s, f"re-create {node}/{nic} after {lasts_s:.3f}", again)

    def _ambush(self, at_s: float, lasts_s: float) -> None:
        """Strike in the middle of some node's next transaction of one kind."""
        node, action = self._node(), self._rng.choice(AMBUSHED)
        how = self._rng.choice(("freeze", "kill", "power-off", "blocked"))
        nic = self._rng.choice(sorted(self._world.machines[node].nics) or ["eth1"])
        strikes: dict[str, Callable[[], None]] = {
            "freeze": partial(self._freeze_for, node, lasts_s),
            "kill": partial(self._faults.kill, node, lasts_s),
            "power-off": partial(self._faults.power_off, node),
            "blocked": partial(self._faults.path, node, nic, blocked=True),
        }
        self.planned.append(f"from {at_s:.3f} {how} {node} during its next {action}")
        ambush = self._world.machines[node].ambush
        self._world.engine.after(at_s, ambush.__setitem__, action, strikes[how])

    def _freeze_for(self, node: str, lasts_s: float) -> None:
        self._faults.freeze(node)
        self._world.engine.after(lasts_s, self._faults.thaw, node)
