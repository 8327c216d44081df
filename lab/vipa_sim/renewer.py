"""The renewal thread: keeps each interface's permit alive by delete + add, off the event loop.

It stops by itself when the loop has not ticked for half a permit; a frozen or killed process takes it along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vipa.election.events import PermitLapsed, PermitRenewed
from vipa.timing import RENEW_SLACK_S

if TYPE_CHECKING:
    from vipa_sim.process import Process


class Renewer:
    """One thread of ``process``; ``permits`` maps interface → permit_s."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._token = 0
        self._tokens: dict[str, int] = {}
        self._missed: set[str] = set()
        self.permits: dict[str, float] = {}

    def keep(self, permits: dict[str, float]) -> set[str]:
        """Renew exactly these from now on; the interfaces no longer named, whose permits are to be removed."""
        gone = set(self.permits) - set(permits)
        for interface in permits:
            if self.permits.get(interface) != permits[interface]:
                self._token += 1
                self._tokens[interface] = self._token
                self.permits[interface] = permits[interface]
                self._again(interface, self._token)
        for interface in gone:
            del self.permits[interface], self._tokens[interface]
        return gone

    def thawed(self) -> None:
        """What fell due during the freeze is due now."""
        missed, self._missed = self._missed, set()
        for interface in sorted(missed):
            if interface in self.permits:
                self._due(interface, self._tokens[interface])

    def _again(self, interface: str, token: int) -> None:
        process = self._process
        period_s = (self.permits[interface] - RENEW_SLACK_S) / 3
        process.engine.after(period_s / process.clock.rate + process.delays.wake_s(), self._due, interface, token)

    def _due(self, interface: str, token: int) -> None:
        process = self._process
        if not process.running or self._tokens.get(interface) != token:
            return
        if process.frozen:
            self._missed.add(interface)
            return
        permit_s = self.permits[interface]
        if process.silent_for_s() > permit_s / 2:
            self._again(interface, token)
            return
        delay_s, until = process.delays.commit_s(), process.now + permit_s
        process.engine.after(delay_s, self._committed, interface, token, until, permit_s)

    def _committed(self, interface: str, token: int, until: float, permit_s: float) -> None:
        process = self._process
        if not process.machine.runs(process.kernel):
            return
        now = process.engine.now
        ok = process.kernel.renew(interface, process.until(permit_s), now)
        process.machine.permit_set(interface, ok)
        if not process.running or self._tokens.get(interface) != token:
            return
        if ok:
            self._again(interface, token)
            process.tell(PermitRenewed(interface, until))
        else:
            process.world.trace.note(process.machine.name, "permit lapsed", interface)
            del self.permits[interface], self._tokens[interface]
            process.tell(PermitLapsed(interface))
