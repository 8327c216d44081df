"""Turns: whoever waits for one gets it, whatever becomes of those before."""

from dataclasses import replace

import pytest

from unit.fakes import machine as fake_machine
from unit.fakes.machine import Machine
from unit.fakes.names import ip
from unit.fakes.net import Net
from unit.fakes.puppet import Puppet
from vipa.election import events as ev
from vipa.election import handover
from vipa.election.crowd import PROBING_MAX
from vipa.election.peers import role_hash
from vipa.election.states import State
from vipa.heartbeat import WireRole
from vipa.heartbeat.model import Beat
from vipa.plan import FailbackPolicy, Plan, PlannedVip, Policy

AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)
CROWD = 3 * PROBING_MAX
PLACES = 8


@pytest.fixture(autouse=True)
def _many_events_at_one_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_machine, "SPIN_STEPS", 100_000)


def vips(net: Net, count: int, *lasts: int, name: str = "v", third: int = 2) -> list[PlannedVip]:
    return [net.vip(*lasts, name=f"{name}{i}", address=f"10.1.{third}.{i + 1}", policy=AT_ONCE) for i in range(count)]


def others(net: Net, *lasts: int, count: int = 5) -> list[PlannedVip]:
    return vips(net, count, *lasts, name="w", third=3)


def test_those_before_were_suspected_by_mistake(net: Net) -> None:
    a, b, c = net.machine("a", 4), net.machine("b", 5), net.machine("c", 6)
    net.start(*vips(net, CROWD, 4, 5), *others(net, 6, 5))
    net.run(3)
    assert (len(a.elected), len(c.elected)) == (CROWD, 5)
    c.on = False
    net.cuts |= {(ip(4), ip(5)), (ip(5), ip(4))}
    net.until(lambda: b.is_(State.SUSPECTING, "v0"), 0.2)
    net.run(0.004)
    net.cuts.clear()
    net.run(3)
    assert len(b.elected) == 5


def test_those_before_lose_their_adapter(net: Net) -> None:
    a, b, c = net.machine("a", 4), net.machine("b", 5, 8), net.machine("c", 6)
    net.start(*vips(net, CROWD, 4, 5), *others(net, 6, 8))
    net.run(3)
    a.on = c.on = False
    net.until(lambda: b.is_(State.SUSPECTING, "w0"), 1)
    b.interface("eth1", carrier=False)
    net.run(3)
    assert len(b.elected) == 5


def test_those_before_leave_the_plan(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    last = net.vip(4, 5, name="z", address="10.1.3.1")
    net.start(*vips(net, 2 * PROBING_MAX, 4, 5), last)
    net.run(3)
    a.on = False
    net.until(lambda: b.is_(State.SUSPECTING, "z"), 1)
    b.plan = Plan(0, (last,))
    b.step(ev.PlanChanged(b.plan))
    net.run(3)
    assert "10.1.3.1" in b.elected


class Busy(Puppet):
    """Better rank for v, which it never claims; what it says of u changes every 40 ms."""

    def beat(self) -> Beat:
        beat = super().beat()
        u = next(v.id for m in self.net.machines.values() for v in m.plan.vips if v.name == "u")
        said = WireRole.CLAIMING if int(self.net.now / 0.04) % 2 else WireRole.SPARE
        roles = tuple(r._replace(role=said if r.vip == u else WireRole.SPARE) for r in beat.roles)
        digest = 0
        for role in roles:
            digest ^= role_hash(role)
        return replace(beat, roles=roles, digest=digest)


def test_a_better_rank_that_is_always_busy_with_others_is_not_waited_for_without_end(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 6)
    net.puppets["p"] = p = Busy(net, "p", ip(5))
    net.start(net.vip(4, 5, 6), net.vip(5, name="u", address="10.1.3.1"))
    p.speak()
    net.run(3)
    assert "10.1.1.7" in a.elected
    a.on = False
    net.run(5)
    assert "10.1.1.7" in b.elected


def test_hand_overs_that_never_end_keep_no_place(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "EXCHANGING_MAX", PLACES)
    b, a = net.machine("b", 5, 105), net.machine("a", 4, 104)
    for machine in (a, b):
        nic = machine.nics["eth2"]
        machine.nics["eth2"] = replace(nic, addresses=(nic.addresses[0].replace("/24", "/28"),))
    plan = Plan(0, (*vips(net, PLACES, 4, 5), *others(net, 104, 105, count=4)))
    a.on, a.plan = False, plan
    b.start(plan)
    net.run(3)
    assert len(b.elected) == PLACES + 4
    a.on = True
    a.nics["eth2"] = replace(a.nics["eth2"], carrier=False)
    a.start(plan)
    net.until(lambda: yielding(b) >= PLACES - 2, 3)
    b.interface("eth1", carrier=False)  # right after "go", on the only LAN that would tell of its end
    net.cuts |= {(ip(5), "*"), ("*", ip(5))}
    a.interface("eth2", carrier=True)
    net.until(lambda: {f"10.1.3.{i + 1}" for i in range(4)} <= a.elected.keys(), 20)


def yielding(machine: Machine) -> int:
    return sum(machine.is_(State.YIELDING, f"v{i}") for i in range(PLACES))
