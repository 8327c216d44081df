"""``Machine``: one elector, the kernel under it and the shell between, with commits that take ``COMMIT_S``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unit.fakes.names import CLUSTER, KEY, ip, mac_of
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.elector import Config, Elector
from vipa.election.peers import node_id
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.plan import Plan

if TYPE_CHECKING:
    from unit.fakes.net import Net

COMMIT_S = 0.0003
SPIN_STEPS = 500  # a core whose deadline never moves on would hang the test


@dataclass
class Logged:
    """One action, when and by whom."""

    at: float
    node: str
    action: act.Action


class Machine:
    """An elector with its kernel. ``frozen``: the process stands still and the kernel goes on; ``on`` false: both."""

    def __init__(self, net: Net, name: str, lasts: tuple[int, ...], insecure: bool) -> None:
        self.net, self.name, self.insecure = net, name, insecure
        self.nics = {
            f"eth{n}": ev.LocalInterface(f"eth{n}", mac_of(ip(last)), (f"{ip(last)}/24",), gateways=(ip(254),))
            for n, last in enumerate(lasts, 1)
        }
        self.on, self.frozen, self.stopped, self.starts = True, False, False, 0
        self.bound: set[str] = set()
        self.elected: dict[str, str] = {}
        self.replies: dict[str, str] = {}
        self.alive: dict[str, float] = {}
        self.claims: dict[str, float] = {}
        self.renewing: tuple[tuple[str, float], ...] = ()
        self.refuses: tuple[type[act.Action], ...] = ()
        """What its kernel refuses from now on: ``BeginClaim`` or ``Permit``."""
        self.waiting: list[ev.Event] = []
        self.spins = (0.0, 0)
        self.elector = self._new()

    def _new(self) -> Elector:
        self.starts += 1
        keys = () if self.insecure else (KEY,)
        incarnation = node_id(f"{self.name}{self.starts}")
        return Elector(Config(self.name, incarnation, keys=keys, cluster=CLUSTER, insecure=self.insecure))

    def start(self, plan: Plan, adopt: bool = False) -> None:
        """Start (again) with ``plan``; ``adopt``: report what the kernel still serves. All else goes first."""
        self.plan = plan
        held = {a: i for a, i in self.elected.items() if adopt and self.answers(a, i)}
        if not held:
            self.bound.clear()
        self.elected = held
        self.step(ev.PlanChanged(plan))
        self.step(ev.InterfacesChanged(tuple(self.nics.values())))
        for address, interface in held.items():
            until = self.alive[interface]
            self.step(ev.HeldAtStart((address,), interface, None if until == float("inf") else until, 0))

    def restart(self, adopt: bool = True) -> None:
        """The process is killed and a new one begins."""
        self.elector, self.frozen, self.waiting, self.renewing = self._new(), False, [], ()
        self.start(self.plan, adopt)

    def vip(self, name: str = "v") -> VipState:
        return self.elector.node.vips[name]

    def is_(self, state: State, name: str = "v") -> bool:
        return self.vip(name).state is state

    @property
    def results(self) -> dict[str, int]:
        """Received heartbeats by result word."""
        return self.elector.receiver.results

    # --- time

    def step(self, event: ev.Event) -> list[act.Action]:
        elector, at = self.elector, self.net.now
        self.spins = (at, self.spins[1] + 1 if self.spins[0] == at else 0)
        assert self.spins[1] < SPIN_STEPS, "the elector's deadline does not move on"
        actions = elector.step(at, event)
        self.net.watch(self, event, actions)
        for action in actions:
            self.net.log.append(Logged(at, self.name, action))
            self._carry_out(action)
        deadline = elector.next_deadline()
        if deadline is not None and deadline < float("inf"):
            self.net.at(deadline, lambda: self._wake(elector, deadline))
        return actions

    def _wake(self, elector: Elector, deadline: float) -> None:
        if elector is self.elector and deadline == elector.next_deadline() and self.on and not self.frozen:
            self.step(ev.TimerFired())

    def hear(self, event: ev.Event) -> None:
        """A frame for the process."""
        if self.frozen:
            self.waiting.append(event)
        elif self.on:
            self.step(event)

    def thaw(self) -> None:
        self.frozen = False
        waiting, self.waiting = self.waiting, []
        for event in [*waiting, ev.TimerFired()]:
            self.step(event)
        self._renew(self.renewing)

    def interface(self, name: str, carrier: bool = True, gone: bool = False) -> None:
        """The kernel's news of one interface."""
        nic = self.nics[name]
        self.nics[name] = ev.LocalInterface(nic.name, nic.mac, nic.addresses, True, carrier, nic.gateways)
        self.step(ev.InterfacesChanged(tuple(i for n, i in self.nics.items() if not (gone and n == name))))

    # --- the kernel

    def serves(self) -> bool:
        """Whether it may answer for anything now."""
        return self.on and bool(self.elected) and max(self.alive.values(), default=0.0) > self.net.now

    def answers(self, address: str, interface: str) -> bool:
        return self.on and self.elected.get(address) == interface and self.alive.get(interface, 0.0) > self.net.now

    def arp_in(self, nic: ev.LocalInterface, event: ev.Event) -> None:
        own_macs = {other.mac for other in self.nics.values()}
        if not isinstance(event, ev.ArpSeen) or not self.on or event.sender_mac in own_macs:
            return  # the shell drops what its own interfaces sent
        own = nic.addresses[0].partition("/")[0]
        asked = event.kind is ev.ArpKind.REQUEST and event.sender_address != event.target_address
        if asked and (event.target_address == own or self.answers(event.target_address, nic.name)):
            self.net.arp(own, ev.ArpKind.REPLY, event.target_address, event.sender_address, only=event.sender_address)
        self.hear(event)

    def _own(self, interface: str) -> str:
        return self.nics[interface].addresses[0].partition("/")[0]

    def _later(self, call: Callable[[], ev.Event]) -> None:
        elector = self.elector

        def answer() -> None:
            if self.on and elector is self.elector:
                self.hear(call())

        self.net.at(self.net.now + COMMIT_S, answer)

    def _carry_out(self, action: act.Action, later: Callable[[Callable[[], ev.Event]], None] | None = None) -> None:
        """``later``: takes what the kernel will answer, for ``_later``."""
        now, later = self.net.now, later or self._later
        match action:
            case act.BeginClaim(vip) if act.BeginClaim in self.refuses:
                later(lambda: ev.ClaimReady(vip, False))
            case act.Permit(vip, _, interface) if act.Permit in self.refuses:
                later(lambda: ev.Permitted(vip, interface, False))
            case act.SendBeat():
                self.net.beat(self.name, action)
            case act.Probe(interface, address, sender):
                self.net.arp(self._own(interface), ev.ArpKind.REQUEST, sender, address)
            case act.Announce(_, addresses, interface):
                for address in addresses:
                    if self.answers(address, interface):
                        for kind in ev.ArpKind:
                            self.net.arp(self._own(interface), kind, address, address)
            case act.Bind(vip):
                self.bound.add(vip)
            case act.Unbind(vip):
                self.bound.discard(vip)
            case act.Steer(_, addresses, interface):
                self.replies |= dict.fromkeys(addresses, interface)
            case act.BeginClaim(vip, _, timeout_s):
                self.claims[vip] = now + timeout_s
                later(lambda: ev.ClaimReady(vip, True))
            case act.Permit(vip, addresses, interface, permit_s):
                later(lambda: self._permit(vip, addresses, interface, permit_s))
            case act.Move(vip, addresses, old, new, permit_s):
                later(lambda: self._move(vip, addresses, old, new, permit_s))
            case act.Together(actions):
                self._together(actions)
            case act.Revoke(_, addresses):
                for address in addresses:
                    self.elected.pop(address, None)
            case act.Renew(permits):
                self._renew(permits)
            case act.Stopped():
                self.stopped = True

    def _together(self, actions: tuple[act.OfVip, ...]) -> None:
        """Their answers come together, after one commit."""
        calls: list[Callable[[], ev.Event]] = []
        for action in actions:
            self._carry_out(action, calls.append)
        if calls:
            self._later(lambda: ev.Answers(tuple(call() for call in calls)))  # type: ignore[arg-type]  # of one kind

    def _permit(self, vip: str, addresses: tuple[str, ...], interface: str, permit_s: float | None) -> ev.Event:
        if self.claims.pop(vip, 0.0) <= self.net.now:
            return ev.Permitted(vip, interface, False)
        return self._elect(vip, addresses, interface, permit_s)

    def _move(self, vip: str, addresses: tuple[str, ...], old: str, new: str, permit_s: float | None) -> ev.Event:
        if self.alive.get(old, 0.0) <= self.net.now:
            return ev.Permitted(vip, new, False)
        return self._elect(vip, addresses, new, permit_s)

    def _elect(self, vip: str, addresses: tuple[str, ...], interface: str, permit_s: float | None) -> ev.Event:
        until = None if permit_s is None else self.net.now + permit_s
        self.elected.update(dict.fromkeys(addresses, interface))
        self.replies.update(dict.fromkeys(addresses, interface))
        self.alive[interface] = float("inf") if until is None else until
        return ev.Permitted(vip, interface, True, until)

    def _renew(self, permits: tuple[tuple[str, float], ...]) -> None:
        self.renewing = permits
        for interface in self.alive.keys() - dict(permits).keys():
            if self.alive[interface] != float("inf"):
                self.alive[interface] = 0.0
        for interface, permit_s in permits:
            self._renew_later(permits, interface, permit_s)

    def _renew_later(self, permits: tuple[tuple[str, float], ...], interface: str, permit_s: float) -> None:
        elector = self.elector

        def renew() -> None:
            if self.renewing is not permits or elector is not self.elector or self.frozen or not self.on:
                return
            if self.alive.get(interface, 0.0) <= self.net.now:
                self.step(ev.PermitLapsed(interface))
                return
            self.alive[interface] = self.net.now + permit_s
            self._renew_later(permits, interface, permit_s)
            self.step(ev.PermitRenewed(interface, self.alive[interface]))

        self.net.at(self.net.now + (permit_s - 0.2) / 3, renew)
