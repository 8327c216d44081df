"""A changed list: one move, and none before both nodes have it."""

import pytest

from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.configuring import READ_S
from vipa.plan import FailbackPolicy, Plan, Policy

AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)


@pytest.mark.parametrize("epochs", [(0, 0), (2, 1)])
def test_nothing_moves_until_both_have_the_changed_list(net: Net, epochs: tuple[int, int]) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    old, new = net.vip(4, 5, policy=AT_ONCE), net.vip(5, 4, policy=AT_ONCE)
    first, second = epochs
    net.start(old, epoch=second)
    net.run(2)
    assert net.answerers() == ["a"]
    begin = len(net.log)
    a.step(ev.PlanChanged(Plan(first, (new,))))
    net.run(1)
    assert net.answerers() == ["a"]
    assert not [e for e in net.log[begin:] if isinstance(e.action, act.Revoke)]
    b.step(ev.PlanChanged(Plan(first, (new,))))
    net.until(lambda: net.answerers() == ["b"], 0.2)
    net.run(1)
    assert len([e for e in net.log[begin:] if isinstance(e.action, act.Revoke)]) == 1
    assert not net.doubles


def test_a_changed_list_takes_one_move_though_an_own_endpoint_is_better_too(net: Net) -> None:
    a, b = net.machine("a", 4, 5), net.machine("b", 6)
    old, new = net.vip(4, 5, 6, policy=AT_ONCE), net.vip(6, 5, 4, policy=AT_ONCE)
    net.start(old)
    net.run(2)
    assert a.vip().interface == "eth1"
    begin = len(net.log)
    a.step(ev.PlanChanged(Plan(1, (new,))))
    net.run(1)
    b.step(ev.PlanChanged(Plan(1, (new,))))
    net.until(lambda: net.answerers() == ["b"], 0.2)
    assert not [e for e in net.log[begin:] if isinstance(e.action, act.Move)]


def test_a_better_own_endpoint_is_taken_when_the_other_node_does_not_follow_the_changed_list(net: Net) -> None:
    a = net.machine("a", 4, 5)
    net.machine("b", 6)
    net.start(net.vip(4, 5, 6, policy=AT_ONCE))
    net.run(2)
    a.step(ev.PlanChanged(Plan(1, (net.vip(6, 5, 4, policy=AT_ONCE),))))
    net.run(1)
    assert a.vip().interface == "eth1"
    net.until(lambda: a.vip().interface == "eth2", READ_S)
