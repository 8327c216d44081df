"""Drawing victims and moments for faults."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from vipa_sim.faults import Faults

if TYPE_CHECKING:
    from vipa_sim.world import World

Strike = Callable[[float, float], None]
"""Plans one fault: seconds from now until it strikes, and how long it lasts."""


class Drawing:
    """Draws for ``world`` from ``rng``; ``planned`` tells what was put on the world's clock."""

    def __init__(self, world: World, rng: Random) -> None:
        self._world, self._rng, self._faults = world, rng, Faults(world)
        self.planned: list[str] = []

    def _node(self) -> str:
        return self._rng.choice(sorted(self._world.machines))

    def _nic(self) -> tuple[str, str]:
        """A node and one of its NICs; more often the one that holds a VIP."""
        holder = self._world.holder(self._rng.choice(self._world.addresses))
        if holder is not None and self._rng.random() < 0.6:
            return holder[0], holder[1].name
        node = self._node()
        return node, self._rng.choice(sorted(self._world.machines[node].nics) or ["eth1"])

    def _busy_node(self) -> str:
        return self._nic()[0]

    def _at(self, at_s: float, what: str, call: Callable[[], None]) -> None:
        self.planned.append(f"{at_s:.3f} {what}")
        self._world.engine.after(at_s, call)
