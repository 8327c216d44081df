"""Rules 1 and 12: the order as executed, and listening before the first probe."""

from itertools import permutations

import pytest

from unit.fakes.machine import COMMIT_S
from unit.fakes.names import VIP, ip, mac_of
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election.states import State
from vipa.heartbeat import WireRole
from vipa.plan import Plan, Policy
from vipa.timing import PROFILES, Timing, claim_delay_s


def probes_of_vip(net: Net) -> list[act.Action]:
    return [e.action for e in net.did("a", act.Probe) if isinstance(e.action, act.Probe) and e.action.address == VIP]


@pytest.mark.parametrize("order", list(permutations((4, 5, 6))))
def test_a_cold_start_settles_on_the_first_of_the_list(net: Net, order: tuple[int, ...]) -> None:
    for name, last in ("a", 4), ("b", 5), ("c", 6):
        net.machine(name, last)
    net.start(net.vip(*order))
    net.run(2)
    best = {4: "a", 5: "b", 6: "c"}[order[0]]
    assert net.answerers() == [best]
    assert [n for n, m in net.machines.items() if m.is_(State.HOLDER)] == [best]
    assert not net.doubles
    others = [m for m in net.machines.values() if m.name != best]
    assert all(m.is_(State.SPARE) and not m.bound for m in others)


@pytest.mark.parametrize("timing", Timing)
def test_one_silence_of_listening_then_the_probes(net: Net, timing: Timing) -> None:
    profile = PROFILES[timing]
    net.machine("a", 4)
    net.puppet("p", 5)
    net.start(net.vip(4, 5, policy=Policy(timing)))
    began = net.now
    net.run(profile.silence_s - 0.001)
    assert not probes_of_vip(net)
    net.run(5)
    (permit,) = net.did("a", act.Permit)
    assert permit.at - began == pytest.approx(profile.silence_s + claim_delay_s(profile, 1) + COMMIT_S, abs=0.002)


def test_a_holder_heard_while_listening_makes_a_spare_without_a_probe(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak(WireRole.HOLDER)
    net.run(1)
    assert net.states("a") == [State.LISTENING, State.SPARE]
    assert a.is_(State.SPARE)
    assert not probes_of_vip(net)


def test_a_node_without_an_endpoint_in_the_list_stays_idle(net: Net) -> None:
    a, _ = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(5))
    net.run(1)
    assert a.is_(State.IDLE)
    assert not net.did("a", act.Bind, act.Permit, act.Probe)


def test_a_late_comer_takes_nothing(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5)
    b.start(Plan(0, (vip,)))
    net.run(2)
    assert net.answerers() == ["b"]
    a.start(Plan(0, (vip,)))
    net.run(5)
    assert net.answerers() == ["b"]
    assert not net.did("a", act.BeginClaim, act.Permit)


def test_it_binds_on_every_endpoint_and_elects_the_best(net: Net) -> None:
    net.machine("a", 5, 4)
    net.puppet("p", 6)
    net.start(net.vip(4, 5, 6))
    net.run(1)
    (bind,) = net.did("a", act.Bind)
    assert bind.action == act.Bind("v", (VIP,), ("eth2", "eth1"))
    assert net.machines["a"].elected == {VIP: "eth2"}


def test_interfaces_and_addresses_are_guarded_before_anything_is_bound(net: Net) -> None:
    net.machine("a", 4)
    net.puppet("p", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    kinds = [type(e.action) for e in net.log if isinstance(e.action, act.Guard | act.Bind)]
    assert kinds.index(act.Bind) > max(i for i, kind in enumerate(kinds) if kind is act.Guard)
    guard = [e.action for e in net.did("a", act.Guard)][-1]
    assert guard == act.Guard((VIP,), (("eth1", f"{ip(4)}/24"),))
    assert mac_of(ip(4)) in net.machines["a"].elector.node.own_macs
