"""Health checks and planned moves: where failback, shutdown and in-node moves go while some nodes fail."""

from unit.fakes.checked import CHECK, MOVE_S, checked, machines, say, wait_holder
from unit.fakes.names import VIP
from unit.fakes.net import Net
from vipa.election import events as ev
from vipa.election.checks import FAILING, fails, heard, merits
from vipa.election.duel import UNRANKED
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa.heartbeat import RoleEntry, WireRole
from vipa.plan import FailbackPolicy, Plan, PlannedVip, Policy
from vipa.reasons import Reason

AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)
DELAYED_2S = Policy(failback_delay_s=2.0)


def test_unknown_is_not_failing_but_takes_no_planned_move(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = checked(net.vip(4, 5, policy=AT_ONCE))
    b.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["b"], 2)  # nothing is known of b: it serves all the same
    assert b.vip().verdict is Verdict.UNKNOWN
    a.start(Plan(0, (vip,)))
    net.run(1)
    assert net.answerers() == ["b"]
    assert a.is_(State.SPARE)
    say(a)
    wait_holder(net, "a", 4)
    assert not net.doubles


def test_failback_waits_from_the_pass_and_longer_after_each_relapse(net: Net) -> None:
    a = machines(net, 4, 5, policy=DELAYED_2S)[0]
    net.run(5)
    for wait_s in (2.0, 4.0):
        say(a, CHECK)
        wait_holder(net, "b")
        net.run(1)
        say(a)
        assert wait_s <= wait_holder(net, "a", wait_s + MOVE_S)
    assert a.vip().reason is Reason.HANDED_OVER
    assert not net.doubles


def test_a_failing_better_node_gets_nothing_back(net: Net) -> None:
    a = machines(net, 4, 5, policy=AT_ONCE)[0]
    say(a, CHECK)
    wait_holder(net, "b")
    net.run(5)
    assert net.answerers() == ["b"]
    assert not net.doubles


def test_a_shutdown_hands_over_to_who_passes_and_to_who_fails_before_nobody(net: Net) -> None:
    a, b, c = machines(net, 4, 5, 6)
    say(b, CHECK)
    net.run(0.1)
    a.step(ev.StopAsked())
    wait_holder(net, "c")
    c.step(ev.StopAsked())
    wait_holder(net, "b")
    assert net.states("b")[-3:] == [State.RECEIVING, State.CLAIMING, State.HOLDER]
    assert not net.doubles


def test_nothing_is_offered_to_who_fails(net: Net) -> None:
    a, p = net.machine("a", 5), net.puppet("p", 4)
    net.start(checked(net.vip(4, 5, policy=AT_ONCE)))
    say(a)
    net.until(lambda: a.is_(State.HOLDER), 2)
    p.rank = FAILING
    p.speak()
    net.run(2)
    assert not p.handovers_heard()
    p.rank = 0
    net.run(0.2)
    assert p.handovers_heard()


def test_an_in_node_move_of_a_failing_holder_is_followed_by_no_hand_over_to_one_that_fails_too(net: Net) -> None:
    a, p = net.machine("a", 4, 6), net.puppet("p", 5)
    net.start(checked(net.vip(4, 5, 6)))
    say(a, CHECK)
    net.until(lambda: a.is_(State.HOLDER), 2)
    p.rank = 1 + FAILING
    p.speak()
    net.run(0.5)
    a.interface("eth1", carrier=False)
    net.run(1)
    assert a.elected == {VIP: "eth2"}
    assert not p.handovers_heard()


def test_a_node_without_an_endpoint_says_nothing_of_its_checks() -> None:
    peer = Peer("p", 1)
    vip = VipState(PlannedVip("v", (VIP,), ()), 0, 7, 0)
    for at, rank in enumerate((FAILING + 1, UNRANKED, FAILING + 1, UNRANKED)):
        heard(peer, RoleEntry(7, WireRole.SPARE, 1, rank, 0), float(at))
    assert fails(peer, vip)
    assert merits(peer, vip, 10.0, healthy_for_s=100.0, flaps=0) == (10.0, 1)
    other = Peer("q", 1)
    for rank in (1, UNRANKED, 1):
        heard(other, RoleEntry(7, WireRole.SPARE, 1, rank, 0), 1.0)
    assert merits(other, vip, 10.0, healthy_for_s=100.0, flaps=0) == (100.0, 0)
