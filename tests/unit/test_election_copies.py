"""``binding: EveryCandidate``: every candidate has the address bound, one answers, and a takeover binds nothing."""

import msgspec
import pytest

from unit.fakes.machine import Machine
from unit.fakes.names import VIP
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.copies import LINGER_S
from vipa.election.states import State
from vipa.plan import FailbackPolicy, Plan, PlannedVip, Policy
from vipa.reasons import Reason

AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)


def everywhere(net: Net, *lasts: int, policy: Policy | None = None) -> PlannedVip:
    return msgspec.structs.replace(net.vip(*lasts, policy=policy), everywhere=True)


def figure_3(net: Net) -> tuple[Machine, Machine]:
    """a with two adapters, b with one; a answers."""
    a, b = net.machine("a", 4, 5), net.machine("b", 6)
    net.start(everywhere(net, 4, 5, 6))
    assert (a.bound, b.bound) == ({"v"}, {"v"}), "before anybody was heard"
    net.until(lambda: net.answerers() == ["a"], 2)
    net.run(0.5)
    return a, b


def bound_since(net: Net, name: str, entries: int) -> list[object]:
    """Binds and unbinds of a node after so many log entries."""
    return [e.action for e in net.log[entries:] if e.node == name and isinstance(e.action, act.Bind | act.Unbind)]


def test_every_candidate_binds_on_all_its_adapters_and_one_answers(net: Net) -> None:
    a, b = figure_3(net)
    assert [e.action for e in net.did("a", act.Bind)] == [act.Bind("v", (VIP,), ("eth1", "eth2"))]
    assert [e.action for e in net.did("b", act.Bind)] == [act.Bind("v", (VIP,), ("eth1",))]
    assert (a.is_(State.HOLDER), b.is_(State.SPARE)) == (True, True)
    assert not net.doubles


def test_guarded_before_it_is_bound(net: Net) -> None:
    figure_3(net)
    for name in ("a", "b"):
        kinds = [type(e.action) for e in net.did(name, act.Guard, act.Bind)]
        assert kinds.index(act.Guard) < kinds.index(act.Bind)


def test_a_takeover_binds_nothing(net: Net) -> None:
    a, b = figure_3(net)
    seen = len(net.log)
    a.on = False
    net.until(lambda: net.answerers() == ["b"], 1)
    net.run(0.1)
    assert bound_since(net, "b", seen) == []
    assert b.is_(State.HOLDER)


def test_a_planned_move_binds_and_unbinds_nothing(net: Net) -> None:
    a, b = net.machine("a", 4, 5), net.machine("b", 6)
    vip = everywhere(net, 4, 5, 6, policy=AT_ONCE)
    b.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["b"], 2)
    seen = len(net.log)
    a.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["a"], 5)
    net.run(2 * LINGER_S)
    assert [type(each) for each in bound_since(net, "a", seen)] == [act.Bind], "at its start"
    assert bound_since(net, "b", seen) == []
    assert (a.bound, b.bound) == ({"v"}, {"v"})
    assert not net.doubles


def test_a_claim_that_comes_to_nothing_leaves_the_copy(net: Net) -> None:
    a, b = figure_3(net)
    seen = len(net.log)
    a.frozen = True  # its kernel answers on
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    a.thaw()
    net.until(lambda: b.is_(State.SPARE), 1)
    net.run(3)
    assert bound_since(net, "b", seen) == []
    assert b.bound == {"v"}


def test_a_lapsed_permit_leaves_the_copy(net: Net) -> None:
    a, _ = figure_3(net)
    seen = len(net.log)
    a.frozen = True
    net.until(lambda: net.answerers() == ["b"], 3)
    a.thaw()
    net.run(1)
    assert bound_since(net, "a", seen) == []
    assert a.bound == {"v"}
    assert not net.doubles


def test_replies_of_a_copy_leave_by_the_best_healthy_adapter(net: Net) -> None:
    net.machine("a", 4)
    b = net.machine("b", 5, 6)
    net.start(everywhere(net, 4, 5, 6))
    net.until(lambda: net.answerers() == ["a"], 2)
    net.run(0.2)
    assert b.replies == {VIP: "eth1"}
    b.interface("eth1", carrier=False)
    assert b.replies == {VIP: "eth2"}, "at once, though another node answers"
    b.interface("eth1")
    net.run(1)
    assert b.replies == {VIP: "eth1"}
    assert [e.action for e in net.did("b", act.Steer)][1:] == [act.Steer("v", (VIP,), i) for i in ("eth2", "eth1")]


def test_replies_stay_with_the_elected_adapter_while_it_is_elected(net: Net) -> None:
    a, _ = figure_3(net)
    a.interface("eth1", carrier=False)
    net.until(lambda: a.answers(VIP, "eth2"), 1)
    seen = len(net.log)
    a.interface("eth1")  # better, but failback waits
    net.run(1)
    assert a.answers(VIP, "eth2")
    assert not any(isinstance(e.action, act.Steer) for e in net.log[seen:])


def test_a_node_without_a_healthy_adapter_keeps_its_copy(net: Net) -> None:
    _, b = figure_3(net)
    seen = len(net.log)
    b.interface("eth1", carrier=False)
    net.run(3)
    assert bound_since(net, "b", seen) == []
    b.interface("eth1", gone=True)
    net.run(3)
    b.interface("eth1")
    net.run(1)
    assert b.bound == {"v"}


def test_an_adapter_that_is_new_in_the_list_gets_the_address(net: Net) -> None:
    a, b = net.machine("a", 4, 5), net.machine("b", 6)
    net.start(everywhere(net, 4, 6), msgspec.structs.replace(net.vip(5), name="w", addresses=("10.1.1.201",)))
    net.until(lambda: net.answerers() == ["a"], 2)
    for machine in (a, b):
        plan = Plan(0, (everywhere(net, 4, 5, 6), machine.plan.vips[1]))
        machine.step(ev.PlanChanged(plan))
    binds = [e.action for e in net.did("a", act.Bind) if isinstance(e.action, act.Bind) and e.action.vip == "v"]
    assert binds[-1] == act.Bind("v", (VIP,), ("eth1", "eth2"))


@pytest.mark.parametrize("gone", ["node", "vip"])
def test_off_the_list_it_lingers_then_goes(net: Net, gone: str) -> None:
    """Routers hear later than agents: what they still send is served for a while."""
    a, b = figure_3(net)
    left = Plan(0, (everywhere(net, 4, 5),) if gone == "node" else ())
    for machine in (a, b):
        machine.step(ev.PlanChanged(left))
    net.run(LINGER_S - 0.1)
    assert b.bound == {"v"}
    net.run(0.2)
    assert b.bound == set()
    assert a.bound == ({"v"} if gone == "node" else set())


def test_back_on_the_list_before_it_went(net: Net) -> None:
    a, b = figure_3(net)
    whole = a.elector.node.plan
    for machine in (a, b):
        machine.step(ev.PlanChanged(Plan(0, ())))
    net.run(LINGER_S / 2)
    for machine in (a, b):
        machine.step(ev.PlanChanged(whole))
    net.run(3 * LINGER_S)
    assert (a.bound, b.bound) == ({"v"}, {"v"})
    assert net.answerers() == ["a"]
    assert net.did("b", act.Unbind) == []


def test_the_binding_can_be_edited_both_ways(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 6)
    net.start(net.vip(4, 6))
    net.until(lambda: net.answerers() == ["a"], 2)
    assert (a.bound, b.bound) == ({"v"}, set())
    for binding, expected in ((True, {"v"}), (False, set()), (True, {"v"})):
        for machine in (a, b):
            machine.step(ev.PlanChanged(Plan(0, (msgspec.structs.replace(net.vip(4, 6), everywhere=binding),))))
        net.run(LINGER_S + 0.1)
        assert (a.bound, b.bound) == ({"v"}, expected)
    assert net.answerers() == ["a"]
    assert not b.vip().mismatch, "who binds it where is each node's own affair"


def test_a_stopping_node_serves_what_routers_still_send(net: Net) -> None:
    a, b = figure_3(net)
    b.step(ev.StopAsked())
    assert net.notices("b", Reason.SHUTDOWN), "so that routers hear of it now"
    net.run(LINGER_S - 0.1)
    assert (b.bound, b.stopped) == ({"v"}, False)
    net.run(0.2)
    assert (b.bound, b.stopped) == (set(), True)
    assert net.answerers() == ["a"]
    begin = net.now
    a.step(ev.StopAsked())
    net.until(lambda: a.stopped, 3)
    assert a.bound == set()
    assert net.now - begin >= LINGER_S - 0.1


def test_a_stopping_holder_hands_over_and_lingers(net: Net) -> None:
    a, b = figure_3(net)
    a.step(ev.StopAsked())
    net.until(lambda: net.answerers() == ["b"], 1)
    net.run(1)
    assert (a.bound, a.stopped) == ({"v"}, False)
    net.run(LINGER_S)
    assert (a.bound, a.stopped) == (set(), True)
    assert b.bound == {"v"}
    assert not net.doubles


def test_a_restarted_agent_finds_its_copy_where_it_was(net: Net) -> None:
    a, b = figure_3(net)
    for machine in (b, a):
        seen = len(net.log)
        machine.restart()
        net.run(1)
        assert not any(isinstance(each, act.Unbind) for each in bound_since(net, machine.name, seen))
        assert machine.bound == {"v"}
    assert net.answerers() == ["a"]
    assert not net.doubles


def test_paused_it_is_bound_everywhere_and_moves_nowhere(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 6)
    net.start(everywhere(net, 4, 6))
    net.until(lambda: net.answerers() == ["a"], 2)
    for machine in (a, b):
        machine.step(ev.PlanChanged(Plan(0, (everywhere(net, 4, 6, policy=Policy(paused=True)),))))
    a.on = False
    net.run(2)
    assert (net.answerers(), b.bound) == ([], {"v"})


def test_the_only_node_serves_for_good(net: Net) -> None:
    a = net.machine("a", 4)
    net.start(everywhere(net, 4))
    net.until(lambda: net.answerers() == ["a"], 2)
    assert a.alive["eth1"] == float("inf")


def test_what_lingered_is_not_unbound_under_its_next_owner(net: Net) -> None:
    """Another family is added: it is another virtual IP, with an address of the one before."""
    a, _ = figure_3(net)
    more = msgspec.structs.replace(everywhere(net, 4, 5, 6), addresses=(VIP, "fd00::7"))
    for machine in net.machines.values():
        machine.step(ev.PlanChanged(Plan(1, (more,))))
    net.run(2 * LINGER_S)
    assert a.vip().bound
    unbound = [e.action.addresses for e in net.did("a", act.Unbind) if isinstance(e.action, act.Unbind)]
    assert all(VIP not in addresses for addresses in unbound), unbound


def test_what_lingers_stays_where_it_is_when_other_addresses_change(net: Net) -> None:
    a, b = figure_3(net)
    short = everywhere(net, 4, 5)
    for machine in (a, b):
        machine.step(ev.PlanChanged(Plan(0, (short,))))
    net.run(LINGER_S / 2)
    seen = len(net.log)
    other = msgspec.structs.replace(net.vip(4, 6), name="w", addresses=("10.1.1.201",))
    for machine in (a, b):
        machine.step(ev.PlanChanged(Plan(0, (short, other))))
    assert net.did("b", act.Guard)[-1] in net.log[seen:]
    assert bound_since(net, "b", seen) == []
    net.run(LINGER_S)
    assert b.bound == set()


def test_before_interfaces_are_known_nothing_is_decided_about_the_kernel(net: Net) -> None:
    """What an agent before this one left is in use: guests are proxied for, and routed."""
    a, _ = net.machine("a", 4), net.machine("b", 6)
    net.start(everywhere(net, 4, 6))
    assert [e.action for e in net.did("a", act.Guard)] == [act.Guard((VIP,), (("eth1", "10.1.1.4/24"),))]
    assert a.bound == {"v"}
