"""Rule 4, the holder's side: planned moves are make-before-break, and one that nobody takes is undone."""

import pytest

from unit.fakes.machine import Machine
from unit.fakes.net import Net
from unit.fakes.puppet import Puppet
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.handover import LINGER_S, OFFER_S, RETRY_S
from vipa.election.peers import node_id
from vipa.election.states import State
from vipa.heartbeat import Handover, HandoverStep, WireRole
from vipa.plan import FailbackPolicy, Plan, Policy
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]
AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)


def offering(net: Net) -> tuple[Machine, Puppet, Handover]:
    """b holds and has just offered to the better-ranked p."""
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5, policy=AT_ONCE))
    net.run(1)
    assert b.is_(State.HOLDER)
    p.speak(WireRole.SPARE)
    net.until(lambda: bool(p.handovers_heard()), 1.5)
    return b, p, p.handovers_heard()[0]


def test_two_machines_go_through_it_without_two_answerers(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5, policy=AT_ONCE)
    b.start(Plan(0, (vip,)))
    net.run(2)
    assert net.answerers() == ["b"]
    a.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["a"], 10)
    handed_over = net.now
    net.run(0.1)
    assert not net.doubles
    assert net.states("a")[-3:] == [State.RECEIVING, State.CLAIMING, State.HOLDER]
    assert net.states("b")[-2:] == [State.YIELDING, State.SPARE]
    revoked = net.did("b", act.Revoke)[-1].at
    assert handed_over - revoked < 0.005
    assert b.bound  # lingers: what arrives is still served
    net.run(5)
    assert not b.bound
    unbound = net.did("b", act.Unbind)[-1].at
    spare = next(e.at for e in net.log if e.node == "b" and "HandedOver" in str(e.action) and "Spare" in str(e.action))
    assert unbound - spare == pytest.approx(1.5, abs=1e-3)


@pytest.mark.parametrize("what", [act.BeginClaim, act.Permit])
def test_a_successor_whose_kernel_refuses_is_asked_less_and_less_often(net: Net, what: type[act.Action]) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5, policy=AT_ONCE)
    b.start(Plan(0, (vip,)))
    net.run(2)
    a.refuses = (what,)
    a.start(Plan(0, (vip,)))
    net.run(60)
    tries = [e for e in net.log if e.node == "b" and e.action == act.Revoke("v", vip.addresses, "eth1")]
    assert 4 <= len(tries) <= 7
    assert net.answerers() == ["b"]
    assert not net.doubles
    a.refuses = ()
    net.until(lambda: net.answerers() == ["a"], 70)


def test_the_offer_carries_the_next_term(net: Net) -> None:
    b, _, offer = offering(net)
    assert (offer.step, offer.term, offer.epoch) == (HandoverStep.OFFER, b.vip().term_seen + 1, 0)


def test_ready_makes_it_revoke_then_say_go_and_keep_bound(net: Net) -> None:
    b, p, offer = offering(net)
    p.handover = replace_step(offer, HandoverStep.READY)
    begin = len(net.log)
    net.until(lambda: b.is_(State.YIELDING), 0.1)
    net.run(0.001)
    kinds = [type(e.action) for e in net.log[begin:] if e.node == "b"]
    assert act.SendBeat in kinds[kinds.index(act.Revoke) :]
    assert b.bound
    assert not b.elected
    net.run(0.002)
    assert p.handovers_heard()[-1].step is HandoverStep.GO


def replace_step(message: Handover, step: HandoverStep) -> Handover:
    return Handover(message.vip, node_id("b"), step, message.term, message.epoch)


def test_go_is_repeated_until_holder_is_heard(net: Net) -> None:
    b, p, offer = offering(net)
    p.handover = replace_step(offer, HandoverStep.READY)
    net.until(lambda: b.is_(State.YIELDING), 0.1)
    net.run(PROFILE.silence_s - 0.01)
    assert [h.step for h in p.handovers_heard()].count(HandoverStep.GO) >= 2
    p.handover, p.term = None, offer.term
    p.speak(WireRole.HOLDER)
    net.run(0.05)
    assert b.is_(State.SPARE)
    heard = len(p.handovers_heard())
    net.run(1)
    assert len(p.handovers_heard()) == heard


def test_a_lost_go_costs_one_beat(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5, policy=AT_ONCE)
    b.start(Plan(0, (vip,)))
    net.run(1)
    lost = [0]

    def passes(source: str, target: str, event: ev.Event) -> bool:
        yielding = b.is_(State.YIELDING) and isinstance(event, ev.BeatReceived) and source == "10.1.1.5"
        lost[0] += yielding and lost[0] < 2
        return not (yielding and lost[0] < 2)

    net.passes = passes
    a.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["a"], 10)
    assert lost[0] == 2
    net.run(3)
    assert a.vip().reason is Reason.HANDED_OVER
    assert not net.doubles


def test_a_successor_that_never_takes_it_is_followed_by_rule_5(net: Net) -> None:
    b, p, offer = offering(net)
    p.handover = replace_step(offer, HandoverStep.READY)
    net.until(lambda: b.is_(State.YIELDING), 0.1)
    yielded = net.now
    p.handover, p.healthy = None, False
    net.until(lambda: b.is_(State.HOLDER), 1)
    assert b.vip().reason is Reason.HOLDER_SILENT
    assert net.now - yielded >= PROFILE.silence_s


def test_a_successor_that_takes_it_late_finds_the_old_holder_still_serving_its_clients(net: Net) -> None:
    b, p, offer = offering(net)
    p.handover = replace_step(offer, HandoverStep.READY)
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    suspected = net.now
    p.handover, p.term = None, offer.term
    p.speak(WireRole.HOLDER)
    net.until(lambda: b.is_(State.SPARE), 0.1)
    assert b.bound
    net.run(LINGER_S - 0.2)
    assert b.bound
    net.run(0.3)
    assert not b.bound
    assert net.did("b", act.Unbind)[-1].at - suspected == pytest.approx(LINGER_S, abs=0.01)


def test_an_offer_without_ready_is_given_up_and_nothing_moved(net: Net) -> None:
    b, p, _ = offering(net)
    offered = net.now
    net.run(0.45)
    assert b.vip().offer is not None
    net.run(0.1)
    assert b.vip().offer is None
    assert b.is_(State.HOLDER)
    assert not net.did("b", act.Revoke)
    heard = len(p.handovers_heard())
    net.run(RETRY_S - 0.1)
    assert len(p.handovers_heard()) == heard
    net.until(lambda: len(p.handovers_heard()) > heard, 10)
    assert net.now - offered >= OFFER_S + RETRY_S - 0.01


@pytest.mark.parametrize("field", ["term", "epoch", "step"])
def test_only_equality_with_the_offer_counts(net: Net, field: str) -> None:
    b, p, offer = offering(net)
    ready = replace_step(offer, HandoverStep.READY)
    wrong = {
        "term": ready._replace(term=ready.term + 1),
        "epoch": ready._replace(epoch=ready.epoch + 1),
        "step": ready._replace(step=HandoverStep.GO),
    }
    p.handover = wrong[field]
    net.run(0.2)
    assert b.is_(State.HOLDER)
    assert not net.did("b", act.Revoke)


def test_ready_of_a_third_node_does_not_count(net: Net) -> None:
    b, q = net.machine("b", 5), net.puppet("q", 6)
    p = net.puppet("p", 4)
    net.start(net.vip(4, 5, 6, policy=AT_ONCE))
    net.run(1)
    q.speak(WireRole.SPARE)
    p.speak(WireRole.SPARE)
    net.until(lambda: bool(p.handovers_heard()), 1.5)
    q.handover = replace_step(p.handovers_heard()[0], HandoverStep.READY)
    net.run(0.2)
    assert b.is_(State.HOLDER)


@pytest.mark.parametrize("late", [True, False])
def test_a_claim_that_comes_to_nothing_does_not_end_the_linger(net: Net, late: bool) -> None:
    b, p, offer = offering(net)
    p.handover = replace_step(offer, HandoverStep.READY)
    net.until(lambda: b.is_(State.YIELDING), 0.1)
    p.handover, p.healthy = None, False
    net.until(lambda: b.is_(State.CLAIMING), 1)
    lingers_until = b.vip().linger_until
    assert lingers_until > net.now + 1
    if late:  # a slow commit: the node distrusts itself first
        b.frozen = True
        net.run(0.1)
        b.thaw()
    else:  # the claim element ended before the permit was there
        b.claims.clear()
        net.run(0.002)
    assert not b.elected
    assert b.bound, "clients of before still send here"
    net.until(lambda: b.is_(State.HOLDER), 1)
    net.run(5)
    assert b.bound
