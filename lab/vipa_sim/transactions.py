"""Kernel transactions of an agent process: one or many virtual IPs in each. One that fails is tried again in halves, as
the agent does; claim elements that have ended are not."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from vipa.election import actions as act
from vipa.election import events as ev
from vipa.reasons import Reason

if TYPE_CHECKING:
    from vipa_sim.process import Process

Commit = tuple[float, Callable[[], bool]]
"""Seconds until it is done; what it does, which tells whether it could."""
Turn = Generator[Commit, bool, None]
Answered = tuple[ev.ClaimReady, ...] | tuple[ev.Permitted, ...]


class Transactions:
    """What ``process`` asks of its kernel."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._machine, self._kernel = process.machine, process.kernel
        self._world, self._engine = process.world, process.engine
        self.why: dict[str, Reason] = {}
        """What each VIP's last transition was for."""

    def commit(self, name: str, effect: Callable[[], bool]) -> Commit:
        """A transaction by its action's name; faults may lie in wait for it."""
        delay_s = self._process.delays.address_s() if name in ("Bind", "Unbind") else self._process.delays.commit_s()
        self._machine.ambushed(name, delay_s)
        return delay_s, effect

    def do(self, wanted: tuple[act.OfVip, ...]) -> Generator[Commit, bool, Answered]:
        """Carry out actions of one kind; the answers, none for actions that want none."""
        started, first, name = self._process.now, wanted[0], type(wanted[0]).__name__
        for action in wanted:
            if not isinstance(action, act.Unbind | act.Revoke | act.Steer):
                self._check(action.vip, action.addresses)
        self._world.moved()
        asked_s = self._engine.now
        ok = yield self.commit(name, lambda: self._effect(wanted, asked_s))
        if not ok and len(wanted) > 1 and not self._over(wanted):
            half = len(wanted) // 2
            front = yield from self.do(wanted[:half])
            back = yield from self.do(wanted[half:])
            return (*front, *back)
        match first:
            case act.BeginClaim():
                return tuple(ev.ClaimReady(action.vip, ok) for action in wanted)
            case act.Permit() | act.Move():
                interface = first.interface if isinstance(first, act.Permit) else first.new
                until = started + first.permit_s if ok and first.permit_s is not None else None
                return tuple(ev.Permitted(action.vip, interface, ok, until) for action in wanted)
        return ()

    def _effect(self, wanted: tuple[act.OfVip, ...], asked_s: float) -> bool:
        first, now = wanted[0], self._engine.now
        addresses = tuple(address for action in wanted for address in action.addresses)
        vips, audited = " ".join(action.vip for action in wanted), self._process.audit.bound
        match first:
            case act.Bind():
                self._kernel.bind(addresses, [name for name in first.interfaces if name in self._machine.nics])
                audited.update(dict.fromkeys(addresses, frozenset(first.interfaces)))
            case act.Unbind():
                self._kernel.unbind(addresses)
                for address in addresses:
                    audited.pop(address, None)
            case act.Revoke():
                self._kernel.revoke(addresses, first.interface)
            case act.Steer():
                self._kernel.reply_by.update(dict.fromkeys(addresses, first.interface))
            case act.BeginClaim():
                self._world.trace.note(self._machine.name, "begin claim", vips)
                return self._kernel.begin_claim(addresses, self._process.until(first.timeout_s))
            case act.Permit() | act.Move():
                until = None if first.permit_s is None else self._process.until(first.permit_s)
                if isinstance(first, act.Permit):
                    interface = first.interface
                    ok = self._kernel.permit(addresses, interface, until, now)
                    for action in wanted if ok else ():
                        if self.why.get(action.vip) is not Reason.HANDED_OVER:
                            self._world.judge.theft.claimed(self._machine, interface, action.addresses[0])
                else:
                    interface = first.new
                    ok = self._kernel.move(addresses, first.old, interface, until, now)
                    self._machine.moved(asked_s, ok)
                said = type(first).__name__.lower()
                self._world.trace.note(self._machine.name, said, vips, interface, "ok" if ok else "REFUSED")
                return self._machine.permit_set(interface, ok)
        self._world.trace.note(self._machine.name, type(first).__name__.lower(), vips)
        return True

    def _over(self, wanted: tuple[act.OfVip, ...]) -> bool:
        claims, now = self._kernel.claims, self._engine.now
        return all(isinstance(a, act.Permit) and claims.get(a.addresses[0], 0.0) <= now for a in wanted)

    def _check(self, vip: str, addresses: tuple[str, ...]) -> None:
        """Nothing may be done to what is not in this node's plan."""
        if set(self._process.vip_addresses(vip)) != set(addresses):
            self._world.judge.accuse(f"{self._machine.name} acts on {vip} {addresses}, which its plan does not hold")
