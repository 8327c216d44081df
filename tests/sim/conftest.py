"""A small scripted core for testing the simulator itself, apart from the election it is made for."""

from collections.abc import Callable

import pytest

from vipa.election import actions as act
from vipa.election import events as ev
from vipa_sim.process import Core, Identity

GAP_S = 0.02
PERMIT_S = 0.5


class ScriptedCore:
    """Knows one VIP and one interface, sends no heartbeats: probes every 20 ms and claims after ``patience`` × its rank
    unanswered probes. ``patience`` 0 claims at once, as no sane core does."""

    def __init__(self, identity: Identity, patience: int = 3, permit_s: float | None = PERMIT_S) -> None:
        self.node, self.patience, self.permit_s = identity.node, patience, permit_s
        self.addresses: tuple[str, ...] = ()
        self.vip, self.interface, self.own, self.rank = "", "", "", 0
        self.missed, self.role, self.deadline = 0, "spare", 0.0

    def next_deadline(self) -> float | None:
        return self.deadline

    def step(self, now: float, event: ev.Event) -> list[act.Action]:
        match event:
            case ev.PlanChanged(plan):
                vip = plan.vips[0]
                self.vip, self.addresses = vip.name, vip.addresses
                mine = [(n, e) for n, e in enumerate(vip.succession, 1) if e.node == self.node]
                self.rank, endpoint = mine[0]
                self.interface, self.own = endpoint.interface, endpoint.address
                return [act.Guard(self.addresses, ((self.interface, self.own),))]
            case ev.HeldAtStart():
                self.role = "holder"
                return self._renew()
            case ev.ArpSeen(_, ev.ArpKind.REPLY, _, sender) if sender in self.addresses:
                self.missed = 0
            case ev.ClaimReady():
                return [act.Permit(self.vip, self.addresses, self.interface, self.permit_s)]
            case ev.Permitted(_, _, ok):
                self.role = "holder" if ok else "spare"
                return [act.Announce(self.vip, self.addresses, self.interface), *self._renew()] if ok else []
            case ev.PermitLapsed():
                self.role, self.missed = "spare", 0
                return [act.Revoke(self.vip, self.addresses, self.interface), act.Unbind(self.vip, self.addresses)]
            case ev.TimerFired() if now >= self.deadline:
                self.deadline = now + GAP_S
                return self._tick()
        return []

    def _renew(self) -> list[act.Action]:
        return [act.Renew(((self.interface, self.permit_s),))] if self.permit_s is not None else []

    def _tick(self) -> list[act.Action]:
        if self.role != "spare":
            return []
        self.missed += 1
        if self.missed <= self.patience * self.rank:
            return [act.Probe(self.interface, self.addresses[0], self.own)]
        self.role = "claiming"
        bind = act.Bind(self.vip, self.addresses, (self.interface,))
        return [bind, act.BeginClaim(self.vip, self.addresses)]


@pytest.fixture
def scripted() -> Callable[..., Callable[[Identity], Core]]:
    """``scripted(patience=…, permit_s=…)`` makes cores for a world."""

    def cores(patience: int = 3, permit_s: float | None = PERMIT_S) -> Callable[[Identity], Core]:
        return lambda identity: ScriptedCore(identity, patience, permit_s)

    return cores
