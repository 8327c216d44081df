"""What all faults share: the world they strike, a line in its timeline, a look of the judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vipa_sim.machine import Machine
    from vipa_sim.world import World


class Striking:
    """Base of the groups of faults."""

    def __init__(self, world: World) -> None:
        self._world = world

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Do something ``delay_s`` from now."""
        self._world.engine.after(delay_s, call)

    def _note(self, what: str) -> None:
        self._world.last_fault = what
        self._world.trace.note("fault", what)

    def _machine(self, node: str) -> Machine:
        return self._world.machines[node]
