"""What comes back: a better node that is heard again, a given-up offer, an old incarnation, a losing rival."""

from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election.states import State
from vipa.heartbeat import WireRole
from vipa.plan import FailbackPolicy, Plan, Policy
from vipa.timing import PROFILES, Timing

AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)


def test_immediate_failback_comes_when_the_better_node_is_heard_two_way(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5, policy=AT_ONCE)
    b.start(Plan(0, (vip,)))
    net.run(7)
    a.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["a"], 1)


def test_an_offer_is_repeated_two_seconds_after_it_was_given_up(net: Net) -> None:
    net.machine("b", 5)
    p = net.puppet("p", 4)
    net.start(net.vip(4, 5, policy=AT_ONCE))
    net.run(1)
    p.speak(WireRole.SPARE)
    net.until(lambda: bool(p.handovers_heard()), 10)
    net.run(0.6)
    heard = len(p.handovers_heard())
    net.until(lambda: len(p.handovers_heard()) > heard, 2.1)


def test_a_beat_of_an_earlier_incarnation_is_stale(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak()
    net.run(1)
    old = p.said[-1]
    p.incarnation, p.seq = p.incarnation + 1, 0
    net.run(0.2)
    p.send(old)
    net.run(0.001)
    assert a.elector.node.peers["p"].incarnation == p.incarnation
    assert a.results.get("stale") == 1


def test_the_winner_of_a_standing_duel_announces_at_most_once_a_gap(net: Net) -> None:
    b, p = net.machine("b", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    p.interval_s = 0.001
    p.speak(WireRole.HOLDER)
    begin = len(net.did("b", act.Announce))
    net.run(0.5)
    assert b.is_(State.HOLDER)
    assert len(net.did("b", act.Announce)) - begin <= 0.5 / PROFILES[Timing.DEFAULT].gap_s + 1
