"""Rule 2 beyond the first switch: peers are heard, the gateway is not, and a sibling reaches it."""

import pytest

from unit.fakes.machine import Machine
from unit.fakes.names import ip
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election.reach import EAGER, MISSED, REACH_S, Reach
from vipa.election.states import State
from vipa.plan import FailbackPolicy, Policy
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]
FOUND_S = REACH_S + (MISSED + 4) * PROFILE.interval_s
GATEWAY = ip(254)


def two_switches(net: Net) -> Machine:
    """a holds on eth1, b is on the same switch; a's eth2 is on another one."""
    a, _ = net.machine("a", 4, 5), net.machine("b", 6)
    net.start(net.vip(4, 5, 6, policy=Policy(failback=FailbackPolicy.IMMEDIATE)))
    net.run(3)
    assert a.vip().interface == "eth1"
    return a


def uplink_dies(net: Net) -> None:
    near = {ip(4), ip(6)}
    net.passes = lambda source, target, event: (source in near) == (target in near)


def test_the_holder_moves_to_its_sibling_and_stays_while_the_uplink_is_dead(net: Net) -> None:
    a = two_switches(net)
    uplink_dies(net)
    net.until(lambda: a.vip().interface == "eth2", FOUND_S)
    assert a.is_(State.HOLDER)
    assert [n.subject for n in net.notices("a", Reason.PATH_SILENT)] == ["endpoint eth1"]
    net.run(10)
    assert a.vip().interface == "eth2"
    assert not net.doubles
    net.passes = lambda source, target, event: True
    net.until(lambda: a.vip().interface == "eth1", 2 * REACH_S)


def test_what_hears_peers_alone_is_better_than_nothing(net: Net) -> None:
    a = two_switches(net)
    uplink_dies(net)
    net.until(lambda: a.vip().interface == "eth2", FOUND_S)
    a.interface("eth2", carrier=False)
    net.until(lambda: a.vip().interface == "eth1", PROFILE.silence_s)


def test_a_gateway_that_is_dead_moves_nothing(net: Net) -> None:
    a = two_switches(net)
    mac = net.stations.pop(GATEWAY)
    net.run(20)
    assert a.vip().interface == "eth1"
    net.stations[GATEWAY] = mac
    net.run(5)
    assert a.vip().interface == "eth1"
    assert not net.did("a", act.Move)


def test_a_gateway_is_asked_once_a_second_and_by_who_has_a_sibling_only(net: Net) -> None:
    two_switches(net)
    began = net.now
    net.run(30)
    asks = [(e.node, e.action) for node in ("a", "b") for e in net.did(node, act.Probe) if e.at > began]
    to_gateway = [(n, a.interface) for n, a in asks if isinstance(a, act.Probe) and a.address == GATEWAY]
    for interface in ("eth1", "eth2"):
        assert to_gateway.count(("a", interface)) == pytest.approx(30 / REACH_S, abs=2)
    assert ("b", "eth1") not in to_gateway


def test_a_dead_gateway_is_not_asked_again_and_again() -> None:
    mine, theirs = Reach((GATEWAY,)), Reach((GATEWAY,))
    now, asks = 0.0, 0
    while now < 60.0:
        asks += bool(mine.due(now, PROFILE, [theirs])) + bool(theirs.due(now, PROFILE, [mine]))
        now += PROFILE.interval_s / 2
    assert asks < 2 * (EAGER + 60 / REACH_S + 5)
    assert not mine.lost


def test_what_a_late_node_missed_proves_nothing_and_heals_nothing() -> None:
    reach = Reach((GATEWAY,), missed=MISSED - 1)
    reach.forgive()
    assert reach.missed == 0
    lost = Reach((GATEWAY,), missed=MISSED)
    lost.forgive()
    assert lost.lost
    lost.heard(1.0, ip(9))
    assert lost.lost
    lost.heard(1.0, GATEWAY)
    assert not lost.lost
