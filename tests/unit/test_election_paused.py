"""``paused``: whoever holds it keeps it, nothing moves; not by failback, lists, shutdown or failure."""

from unit.fakes.machine import Machine
from unit.fakes.names import VIP
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.plan import FailbackPolicy, Plan, Policy
from vipa.reasons import Reason

PAUSED = Policy(failback=FailbackPolicy.IMMEDIATE, paused=True)
RUNNING = Policy(failback=FailbackPolicy.IMMEDIATE)
LONG_S = 5.0
"""Ten permits: whatever was to happen has happened."""


def plan(net: Net, policy: Policy, *lasts: int) -> None:
    for machine in net.machines.values():
        machine.plan = Plan(0, (net.vip(*lasts, policy=policy),))
        machine.step(ev.PlanChanged(machine.plan))


def paused_pair(net: Net) -> tuple[Machine, Machine]:
    """a holds on its first adapter, b is spare; then both are told of the pause."""
    a, b = net.machine("a", 4, 5), net.machine("b", 6)
    net.start(net.vip(4, 5, 6, policy=RUNNING))
    net.run(2)
    plan(net, PAUSED, 4, 5, 6)
    net.run(1)
    assert net.answerers() == ["a"]
    return a, b


def moves(net: Net) -> list[str]:
    """Who became Holder, or moved."""
    found = [e for m in net.machines for e in net.did(m, act.Transition)]
    return [e.node for e in found if isinstance(e.action, act.Transition) and e.action.new == State.HOLDER]


def test_a_better_endpoint_by_another_list_moves_nothing_until_the_pause_is_over(net: Net) -> None:
    paused_pair(net)
    before = moves(net)
    plan(net, PAUSED, 6, 5, 4)
    net.run(LONG_S)
    assert moves(net) == before
    assert net.answerers() == ["a"]
    plan(net, RUNNING, 6, 5, 4)
    net.run(LONG_S)
    assert net.answerers() == ["b"]
    assert not net.doubles


def test_a_holder_that_left_the_list_keeps_it_until_the_pause_is_over(net: Net) -> None:
    _, b = paused_pair(net)
    before = moves(net)
    plan(net, PAUSED, 6)
    net.run(LONG_S)
    assert moves(net) == before
    assert net.answerers() == ["a"]
    assert net.notices("b", Reason.PLAN_MISMATCH), "and it is said"
    plan(net, RUNNING, 6)
    net.run(LONG_S)
    assert net.answerers() == ["b"]
    assert b.is_(State.HOLDER)


def test_a_failed_adapter_moves_nothing_within_the_node(net: Net) -> None:
    a, _ = paused_pair(net)
    a.interface("eth1", carrier=False)
    net.run(LONG_S)
    assert not net.did("a", act.Move)
    assert a.is_(State.HOLDER)
    assert a.vip().interface == "eth1"


def test_a_holder_cut_off_for_a_while_takes_it_again_and_nobody_else_does(net: Net) -> None:
    a, b = paused_pair(net)
    for carrier in (False, True):
        for nic in ("eth1", "eth2"):
            a.interface(nic, carrier=carrier)
        net.run(LONG_S)
        assert not b.is_(State.HOLDER)
    assert net.answerers() == ["a"]
    assert a.is_(State.HOLDER)


def test_a_shutdown_hands_nothing_over_and_the_same_node_takes_it_again(net: Net) -> None:
    a, b = paused_pair(net)
    a.step(ev.StopAsked())
    net.run(LONG_S)
    assert a.stopped
    assert not net.answerers()
    assert not b.is_(State.HOLDER)
    a.restart(adopt=False)
    a.step(ev.HeldLast((VIP,)))
    net.run(LONG_S)
    assert net.answerers() == ["a"]
    assert moves(net).count("b") == 0


def test_a_dead_holder_is_waited_for_and_without_its_memory_only_the_end_of_the_pause_helps(net: Net) -> None:
    a, b = paused_pair(net)
    a.on = False
    net.run(LONG_S)
    assert not net.answerers()
    a.on = True
    a.restart(adopt=False)
    net.run(LONG_S)
    assert not net.answerers()
    plan(net, RUNNING, 4, 5, 6)
    net.run(LONG_S)
    assert net.answerers() == ["a"]
    assert not b.is_(State.HOLDER)


def test_who_held_it_once_does_not_claim_what_another_has_held_since(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5, policy=Policy(failback=FailbackPolicy.NEVER)))
    net.run(2)
    a.on = False
    net.run(2)
    assert net.answerers() == ["b"]
    a.on = True
    a.restart(adopt=False)
    a.step(ev.HeldLast((VIP,)))
    net.run(2)
    plan(net, PAUSED, 4, 5)
    net.run(1)
    b.on = False
    net.run(LONG_S)
    assert not net.answerers()
    b.on = True
    b.restart(adopt=False)
    b.step(ev.HeldLast((VIP,)))
    net.run(LONG_S)
    assert net.answerers() == ["b"]
    assert not a.is_(State.HOLDER)
