"""The agent's repairs: tables and addresses that somebody removed are put back when they are missed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vipa_sim.duties import Duties
    from vipa_sim.process import Process
    from vipa_sim.transactions import Commit

AUDIT_S: Final = 0.5
"""How often the agent compares what is there with what should be (docs/limits.md: within a second)."""


class Audit:
    """``gated``: addresses that the gate should hold, None before the first ``Guard``; ``bound``: address →
    interfaces that this process bound it on."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.gated: tuple[str, ...] | None = None
        self.bound: dict[str, frozenset[str]] = {}

    def mend(self, duties: Duties) -> Generator[Commit, bool, bool]:
        """Put back what is gone; whether the gate was, and all elections with it."""
        process, lost_gate = self._process, False
        kernel, name = process.kernel, process.machine.name
        if self.gated is not None and not kernel.tables:
            gated, lost_gate = self.gated, True
            process.world.trace.note(name, "tables put back")
            yield duties.commit("Guard", lambda: kernel.guard(gated))
        for address, wanted in sorted(self.bound.items()):
            lost = {i for i in wanted - kernel.bound.get(address, frozenset()) if i in process.machine.nics}
            if lost and address in kernel.guarded:  # what left the plan, and then its interface, is not wanted back
                process.world.trace.note(name, "bound again", address, *sorted(lost))
                yield duties.commit("Bind", lambda a=address, i=lost: kernel.bind((a,), i))  # type: ignore[misc]
        return lost_gate
