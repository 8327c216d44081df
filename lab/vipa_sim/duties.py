"""What an agent process carries out for its election core: frames, kernel transactions, words for people.

A transaction is a :data:`Commit`: the loop is blocked for so long, then the effect comes true, whatever became of the
process meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from vipa.election import actions as act
from vipa.election import events as ev
from vipa.reasons import Reason
from vipa_sim.lan import Arp, Beat

if TYPE_CHECKING:
    from vipa_sim.process import Process

BEAT_BYTES_MAX = 1200  # docs/design/0002-election.md, "Heartbeat"

Commit = tuple[float, Callable[[], bool]]
"""Seconds until it is done; what it does, which tells whether it could."""
Turn = Generator[Commit, bool, None]


class Duties:
    """``answers``: what the kernel said to the core's transactions, to be taken in next."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._machine, self._kernel = process.machine, process.kernel
        self._world, self._engine = process.world, process.engine
        self._why: dict[str, Reason] = {}
        """What each VIP's last transition was for."""
        self.answers: deque[ev.ClaimReady | ev.Permitted] = deque()

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
            case act.BeginClaim():
                yield from self._begin_claim(action)
            case act.Permit() | act.Move():
                yield from self._permit(action)
            case act.MoveTogether():
                yield from self._move_together(action)
            case act.Guard():
                self._process.audit.gated = action.addresses
                yield self.commit("Guard", lambda: self._kernel.guard(action.addresses))
            case act.Bind() | act.Unbind() | act.Revoke():
                yield from self._change(action)
            case act.Renew():
                gone = self._process.renewer.keep(dict(action.permits))
                self._machine.saved.permits = dict(action.permits)
                if gone:
                    yield self.commit("Renew", lambda: self._remove_permits(gone))

    def commit(self, name: str, effect: Callable[[], bool]) -> Commit:
        """A transaction by its action's name; faults may lie in wait for it."""
        delay_s = self._process.delays.address_s() if name in ("Bind", "Unbind") else self._process.delays.commit_s()
        self._machine.ambushed(name, delay_s)
        return delay_s, effect

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
        self._why[action.vip] = action.reason
        what = f"{action.vip} {action.old} → {action.new} on {action.interface or '-'} ({action.reason})"
        self._world.trace.note(self._machine.name, what, "term", action.term)
        for address in self._machine.vip_addresses(action.vip):
            self._machine.saved.terms[address] = action.term

    def _begin_claim(self, action: act.BeginClaim) -> Turn:
        def effect() -> bool:
            return self._kernel.begin_claim(action.addresses, self._process.until(action.timeout_s))

        self._check(action.vip, action.addresses)
        self._world.trace.note(self._machine.name, "begin claim", action.vip)
        ok = yield self.commit("BeginClaim", effect)
        self.answers.append(ev.ClaimReady(action.vip, ok))

    def _permit(self, action: act.Permit | act.Move) -> Turn:
        started, name = self._process.now, type(action).__name__
        interface = action.interface if isinstance(action, act.Permit) else action.new

        def effect() -> bool:
            until = None if action.permit_s is None else self._process.until(action.permit_s)
            now = self._engine.now
            if isinstance(action, act.Permit):
                ok = self._kernel.permit(action.addresses, interface, until, now)
                if ok and self._why.get(action.vip) is not Reason.HANDED_OVER:
                    self._world.judge.theft.claimed(self._machine, interface, action.addresses[0])
            else:
                ok = self._kernel.move(action.addresses, action.old, interface, until, now)
            self._world.trace.note(self._machine.name, name.lower(), action.vip, interface, "ok" if ok else "REFUSED")
            return self._machine.permit_set(interface, ok)

        self._check(action.vip, action.addresses)
        ok = yield self.commit(name, effect)
        until = started + action.permit_s if ok and action.permit_s is not None else None
        self.answers.appendleft(ev.Permitted(action.vip, interface, ok, until))

    def _move_together(self, action: act.MoveTogether) -> Turn:
        started, first = self._process.now, action.moves[0]
        addresses = tuple(address for move in action.moves for address in move.addresses)

        def effect() -> bool:
            until = None if first.permit_s is None else self._process.until(first.permit_s)
            ok = self._kernel.move(addresses, first.old, first.new, until, self._engine.now)
            vips, outcome = " ".join(m.vip for m in action.moves), "ok" if ok else "REFUSED"
            self._world.trace.note(self._machine.name, "move together", vips, first.new, outcome)
            return self._machine.permit_set(first.new, ok)

        for move in action.moves:
            self._check(move.vip, move.addresses)
        if (yield self.commit("Move", effect)):
            until = None if first.permit_s is None else started + first.permit_s
            self.answers.extendleft(ev.Permitted(m.vip, first.new, True, until) for m in reversed(action.moves))
            return
        for move in action.moves:
            yield from self._permit(move)

    def _change(self, action: act.Bind | act.Unbind | act.Revoke) -> Turn:
        audited = self._process.audit.bound

        def effect() -> bool:
            match action:
                case act.Bind():
                    present = [name for name in action.interfaces if name in self._machine.nics]
                    self._kernel.bind(action.addresses, present)
                    audited.update(dict.fromkeys(action.addresses, frozenset(action.interfaces)))
                case act.Unbind():
                    self._kernel.unbind(action.addresses)
                    for address in action.addresses:
                        audited.pop(address, None)
                case act.Revoke():
                    self._kernel.revoke(action.addresses, action.interface)
            return True

        if isinstance(action, act.Bind):
            self._check(action.vip, action.addresses)
        name = type(action).__name__
        self._world.trace.note(self._machine.name, name.lower(), action.vip)
        self._world.moved()
        yield self.commit(name, effect)

    def _remove_permits(self, interfaces: set[str]) -> bool:
        for interface in interfaces:
            self._kernel.alive.pop(interface, None)
        return True

    def _check(self, vip: str, addresses: tuple[str, ...]) -> None:
        """Nothing may be done to what is not in this node's plan."""
        self._world.moved()
        if set(self._machine.vip_addresses(vip)) != set(addresses):
            self._world.judge.accuse(f"{self._machine.name} acts on {vip} {addresses}, which its plan does not hold")
