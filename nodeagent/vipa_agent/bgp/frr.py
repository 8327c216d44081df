"""The node's FRR as the runner sees it: brought to what is wanted, looked at, and what there is to say of it."""

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from vipa.reasons import Reason
from vipa_agent.bgp import rank, sessions, statements
from vipa_agent.bgp.view import BgpView, Session
from vipa_agent.bgp.vty import Vty, VtyError

DAEMON: Final = "bgpd"
PATIENCE_S: Final = 3.0
"""For FRR to send what it was told: it waits a second itself after a session has come up (coalesce-time)."""
NAMED_MAX: Final = 10
"""So many addresses of a kind are named to people."""


@dataclass(slots=True)
class Frr:
    """Blocks while bgpd does. ``generation``: the highest found in it at first: another agent's, the one before."""

    directory: Path
    generation: int = -1
    _vty: Vty | None = None
    _running: statements.Running | None = None
    _trouble: BgpView = field(default_factory=lambda: BgpView(Reason.HEALTHY))
    _taken: list[str] = field(default_factory=list)
    """Wanted prefixes that an administrator's own lines advertise."""
    _missing: dict[str, float] = field(default_factory=dict)
    """Prefix that no session carries → since when."""

    def bring(self, wanted: Mapping[str, int], lost: int) -> None:
        """bgpd advertises ``wanted`` (prefix → term) and nothing else of vipa's. ``lost``: adapters lost so far."""
        try:
            running = self._read()
            meds = {prefix: rank.med(term, self.generation + lost) for prefix, term in wanted.items()}
            if meds and not running.asn:
                self._trouble = BgpView(Reason.NO_BGP_INSTANCE, "FRR has no 'router bgp' in its default VRF")
                self._running = None
                return
            if statements.changes(running, meds):
                self.forget()  # somebody may have edited it since, and what is not ours by now is not to be touched
                running = self._read()
            for command in statements.changes(running, meds):
                self._ask(command)
            self._taken = sorted(meds.keys() & running.others)
            own = {prefix: med for prefix, med in meds.items() if prefix not in running.others}
            self._running = dataclasses.replace(running, networks=own, maps=frozenset(own.values()))
            self._trouble = BgpView(Reason.HEALTHY)
        except VtyError as error:
            self._failed(error)

    def forget(self) -> None:
        """Read again what bgpd has: others may have changed it."""
        self._running = None

    def look(self) -> BgpView:
        """Sessions, and what is wrong."""
        try:
            found = [self._sent(session) for session in sessions.read(self._ask("show bgp neighbors json"))]
        except ValueError:  # no instance: "% BGP instance not found", as text
            found = []
        except VtyError as error:
            self._failed(error)
            return self._trouble
        told = tuple(session for session, _ in found)
        if self._trouble.reason is not Reason.HEALTHY:
            return msgspec.structs.replace(self._trouble, sessions=told)
        missing = self._patient(set(self._running.networks if self._running else ()).difference(*(s for _, s in found)))
        return BgpView(*_judge(told, self._taken, missing), told)

    def close(self) -> None:
        """Safe to repeat."""
        if self._vty is not None:
            self._vty.close()
        self._vty = self._running = None

    def _ask(self, command: str) -> str:
        if self._vty is None:
            self._vty = Vty(self.directory, DAEMON)
            self._vty.ask("enable")
        return self._vty.ask(command)

    def _read(self) -> statements.Running:
        if self._running is None:
            self._running = statements.read(self._ask("show running-config"))
            if self.generation < 0:
                self.generation = max((rank.generation(med) for med in self._running.networks.values()), default=0)
        return self._running

    def _sent(self, session: Session) -> tuple[Session, set[str]]:
        if not session.local or self._running is None or not self._running.networks:
            return session, set()
        sent: set[str] = set()
        for question in sessions.questions(session.peer):
            try:
                sent |= sessions.advertised(self._ask(question))
            except VtyError as error:
                if not error.reachable:  # else the family is not active there
                    raise
        sent &= self._running.networks.keys()
        return msgspec.structs.replace(session, advertised=len(sent)), sent

    def _patient(self, missing: set[str]) -> list[str]:
        """Those that have been missing for some time."""
        now = time.monotonic()
        self._missing = {prefix: self._missing.get(prefix, now) for prefix in missing}
        return sorted(prefix for prefix, since in self._missing.items() if now - since >= PATIENCE_S)

    def _failed(self, error: VtyError) -> None:
        """All is read again by a new connection: one that failed in the middle is in an unknown mode."""
        self.close()
        self._trouble = BgpView(Reason.FRR_REFUSED if error.reachable else Reason.FRR_UNREACHABLE, str(error))


def _judge(told: tuple[Session, ...], taken: list[str], missing: list[str]) -> tuple[Reason, str]:
    if not any(session.local for session in told):
        states = ", ".join(f"{session.peer} is {session.state}" for session in told)
        return Reason.NO_BGP_SESSION, f"no session is up: {states or 'FRR has no neighbor'}"
    if taken:
        return Reason.NETWORK_TAKEN, (
            f"FRR's configuration has 'network' lines of its own for {_named(taken)}: they stay as they are, and vipa "
            "adds none; remove them there to have vipa advertise these addresses"
        )
    if missing:
        text = f"sent to no router: {_named(missing)}: is the family active, and does a policy let it out?"
        return Reason.NOT_ADVERTISED, text
    return Reason.HEALTHY, ""


def _named(prefixes: list[str]) -> str:
    return ", ".join(prefixes[:NAMED_MAX]) + (" …" if len(prefixes) > NAMED_MAX else "")
