"""What an agent process carries out for its election core: frames, kernel transactions, words for people.

A transaction is a :data:`Commit`: the loop is blocked for so long, then the effect comes true, whatever became of the
process meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from vipa.election import actions as act
from vipa.election import events as ev
from vipa_sim.lan import Arp, Beat
from vipa_sim.transactions import Commit, Transactions, Turn

if TYPE_CHECKING:
    from vipa_sim.process import Process

BEAT_BYTES_MAX = 1200  # docs/design/0002-election.md, "Heartbeat"


class Duties:
    """``answers``: what the kernel said to the core's transactions, to be taken in next."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._machine, self._kernel = process.machine, process.kernel
        self._world, self._engine = process.world, process.engine
        self.answers: deque[ev.ClaimReady | ev.Permitted | ev.Answers] = deque()
        self._transactions = Transactions(process)

    def perform(self, action: act.Action) -> Turn:
        """Carry out one action."""
        match action:
            case act.SendBeat():
                self._send_beat(action)
            case act.Probe():
                self._probe(action)
            case act.Announce():
                self._announce(action)
            case act.Transition() | act.Notice():
                self._say(action)
            case act.Stopped():
                self._machine.ended(self._process)
            case act.Together():
                yield from self._together(action.actions)
            case act.Guard():
                self._process.audit.gated = action.addresses
                yield self.commit("Guard", lambda: self._kernel.guard(action.addresses))
            case act.Bind() | act.Unbind() | act.Revoke() | act.Steer() | act.BeginClaim() | act.Permit() | act.Move():
                yield from self._together((action,))
            case act.Renew():
                gone = self._process.renewer.keep(dict(action.permits))
                self._machine.saved.permits = dict(action.permits)
                if gone:
                    yield self.commit("Renew", lambda: self._remove_permits(gone))

    def commit(self, name: str, effect: Callable[[], bool]) -> Commit:
        """See :meth:`Transactions.commit`."""
        return self._transactions.commit(name, effect)

    def _send_beat(self, action: act.SendBeat) -> None:
        nic = self._machine.nics.get(action.interface)
        if len(action.payload) > BEAT_BYTES_MAX:
            self._world.judge.accuse(f"{self._machine.name} sends a beat of {len(action.payload)} bytes")
        if nic is not None and self._process.now < action.valid_until:
            beat = Beat(nic.port.mac, action.source_address, action.target_address, action.payload)
            nic.lan.send(nic.port, action.target_mac, beat)

    def _probe(self, action: act.Probe) -> None:
        nic = self._machine.nics.get(action.interface)
        if nic is not None:
            self._world.trace.note(self._machine.name, "probe", action.address, action.interface, action.mac or "all")
            ask = Arp(ev.ArpKind.REQUEST, nic.port.mac, action.sender_address, action.address)
            nic.lan.send(nic.port, action.mac, ask)

    def _announce(self, action: act.Announce) -> None:
        nic = self._machine.nics.get(action.interface)
        if nic is None:
            return
        for address in action.addresses:
            if not self._kernel.lets_out(address, action.interface, self._engine.now):
                self._world.trace.note(self._machine.name, "announce stopped by the gate", action.vip, action.interface)
                continue
            self._world.trace.note(self._machine.name, "announce", action.vip, action.interface)
            for kind in (ev.ArpKind.REQUEST, ev.ArpKind.REPLY):
                nic.lan.send(nic.port, "", Arp(kind, nic.port.mac, address, address))

    def _say(self, action: act.Transition | act.Notice) -> None:
        if isinstance(action, act.Notice):
            self._world.trace.note(self._machine.name, "notice", action.reason, action.subject, action.detail)
            return
        self._transactions.why[action.vip] = action.reason
        what = f"{action.vip} {action.old} → {action.new} on {action.interface or '-'} ({action.reason})"
        self._world.trace.note(self._machine.name, what, "term", action.term)
        for address in self._process.vip_addresses(action.vip):
            self._machine.saved.terms[address] = action.term

    def _together(self, wanted: tuple[act.OfVip, ...]) -> Turn:
        answers = yield from self._transactions.do(wanted)
        if not answers:
            return
        answer = answers[0] if len(answers) == 1 else ev.Answers(answers)
        if isinstance(answers[0], ev.Permitted):
            self.answers.appendleft(answer)
        else:
            self.answers.append(answer)

    def _remove_permits(self, interfaces: set[str]) -> bool:
        for interface in interfaces:
            self._kernel.alive.pop(interface, None)
        return True
