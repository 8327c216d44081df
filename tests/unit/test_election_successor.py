"""Rule 4, the successor's side: it binds, says ready, and takes what it was offered and nothing else."""

import pytest

from unit.fakes.machine import COMMIT_S, Machine
from unit.fakes.names import VIP, mac_of
from unit.fakes.net import Net
from unit.fakes.puppet import Puppet
from vipa.election import actions as act
from vipa.election.handover import OFFER_S, TURN_S
from vipa.election.peers import node_id
from vipa.election.states import State
from vipa.heartbeat import Handover, HandoverStep, WireRole
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


def receiving(net: Net, term: int = 5) -> tuple[Machine, Puppet, Handover]:
    """The holder p offers to b."""
    b, p = net.machine("b", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak(WireRole.HOLDER)
    net.run(1)
    offer = Handover(b.vip().id, node_id("b"), HandoverStep.OFFER, term, 0)
    p.handover = offer
    return b, p, offer


def test_the_successor_binds_says_ready_and_waits_for_go(net: Net) -> None:
    b, p, offer = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    assert b.bound
    net.run(0.1)
    ready = p.handovers_heard()[-1]
    assert (ready.step, ready.term, ready.epoch) == (HandoverStep.READY, offer.term, offer.epoch)
    assert not net.did("b", act.BeginClaim, act.Permit)
    p.handover = offer._replace(step=HandoverStep.GO)
    p.speak(WireRole.YIELDING)
    took = net.until(lambda: net.answerers() == ["b"], 0.1)
    assert took <= PROFILE.interval_s + 3 * COMMIT_S
    net.run(0.01)
    assert b.vip().term == offer.term
    assert net.did("b", act.Announce)


@pytest.mark.parametrize("change", [{"term": 6}, {"epoch": 1}])
def test_go_of_another_offer_does_not_count(net: Net, change: dict[str, int]) -> None:
    b, p, offer = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.handover = offer._replace(step=HandoverStep.GO, **change)
    net.run(0.2)
    assert not net.did("b", act.BeginClaim, act.Permit)


def test_go_without_an_offer_does_not_count(net: Net) -> None:
    b, p, offer = receiving(net)
    p.handover = offer._replace(step=HandoverStep.GO)
    net.run(0.2)
    assert b.is_(State.SPARE)
    assert not net.did("b", act.Bind, act.BeginClaim)


def test_an_offer_that_ends_without_go_is_unbound(net: Net) -> None:
    b, p, _ = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.handover = None
    net.run(OFFER_S + 0.1)
    assert b.is_(State.SPARE)
    assert not b.bound


def test_only_a_holder_s_offer_is_taken(net: Net) -> None:
    b, p, q = net.machine("b", 4), net.puppet("p", 5), net.puppet("q", 6)
    net.start(net.vip(4, 5, 6))
    p.speak(WireRole.HOLDER)
    q.handover = Handover(b.vip().id, node_id("b"), HandoverStep.OFFER, 9, 0)
    q.speak(WireRole.SPARE)
    net.run(1)
    assert b.is_(State.SPARE)
    assert not b.bound


def two_holders(net: Net) -> tuple[Machine, Puppet, Puppet]:
    """p and q both hold what b is a spare of, and only their digests go on saying so."""
    b, p, q = net.machine("b", 4), net.puppet("p", 5), net.puppet("q", 6)
    net.start(net.vip(4, 5, 6))
    for puppet in (p, q):
        puppet.speak(WireRole.HOLDER)
    net.run(1)
    p.tells_roles = q.tells_roles = False
    p.handover = Handover(b.vip().id, node_id("b"), HandoverStep.OFFER, 9, 0)
    return b, p, q


def test_of_two_holders_neither_can_give_it_away(net: Net) -> None:
    b, _, q = two_holders(net)
    net.run(0.2)
    assert b.is_(State.SPARE)
    q.speaks = False
    net.until(lambda: b.is_(State.RECEIVING), 0.2)


def test_a_holder_heard_again_before_go_ends_the_hand_over(net: Net) -> None:
    b, p, q = two_holders(net)
    q.speaks = False
    net.until(lambda: b.is_(State.RECEIVING), 0.2)
    q.speak()
    net.run(0.001)
    assert p.handover is not None
    p.handover = p.handover._replace(step=HandoverStep.GO)
    net.run(0.1)
    assert b.is_(State.SPARE)
    assert not b.bound
    assert not net.did("b", act.BeginClaim, act.Permit)


def test_what_was_received_before_a_stall_does_not_count(net: Net) -> None:
    b, p, offer = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.handover = offer._replace(step=HandoverStep.GO)
    b.frozen = True
    net.run(0.2)
    p.speaks = False
    net.run(0.001)
    b.thaw()
    net.run(0.01)
    assert not net.did("b", act.BeginClaim, act.Permit)


def test_a_successor_whom_a_third_node_overtook_gives_up(net: Net) -> None:
    b, p, offer = receiving(net)
    q = net.puppet("q", 6)
    net.start(net.vip(4, 5, 6))
    net.run(0.3)
    q.speak(WireRole.SPARE)
    net.until(lambda: b.is_(State.RECEIVING), 0.5)
    p.handover = offer._replace(step=HandoverStep.GO)
    p.speak(WireRole.YIELDING)
    net.until(lambda: b.is_(State.CLAIMING), 0.1)
    q.role = WireRole.HOLDER
    q.say()  # heard in the last look at the wire, before the permit
    net.run(0.1)
    assert not b.elected
    assert b.is_(State.SPARE)


def test_an_offerer_that_lets_go_is_not_waited_for(net: Net) -> None:
    b, p, _ = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.handover = None
    p.speak(WireRole.SPARE)
    p.rank = 255
    took = net.until(lambda: net.answerers() == ["b"], OFFER_S)
    assert took < PROFILE.silence_s + 2 * PROFILE.interval_s + PROFILE.probes * PROFILE.gap_s + 0.01


def test_an_offerer_that_took_it_back_keeps_it(net: Net) -> None:
    b, p, offer = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.handover = offer._replace(step=HandoverStep.GO)
    p.speak(WireRole.YIELDING)
    net.until(lambda: b.is_(State.CLAIMING), 0.1)
    p.role = WireRole.PERMITTING  # it waited for b in vain, and nobody answered its probes
    p.say()
    net.run(0.1)
    assert not b.elected
    assert not b.is_(State.HOLDER)


def test_a_permit_that_was_given_back_is_waited_for_no_more(net: Net) -> None:
    b, p, _ = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.handover, p.permit_left_s = None, PROFILE.permit_s
    p.speaks = False  # frozen: its kernel still answers
    net.stations[VIP] = mac_of(p.address)
    p.say()
    net.run(OFFER_S + 4 * PROFILE.silence_s)
    p.say()
    net.run(2 * PROFILE.silence_s)
    assert b.is_(State.SUSPECTING)
    suspicion = b.vip().suspicion
    assert suspicion is not None
    assert suspicion.next_at > net.now + PROFILE.permit_s / 2
    del net.stations[VIP]
    p.role, p.permit_left_s = WireRole.SPARE, 0.0
    p.say()
    took = net.until(lambda: net.answerers() == ["b"], PROFILE.permit_s)
    assert took < 4 * PROFILE.probes * PROFILE.gap_s


def test_a_claim_in_vain_waits_for_a_go_that_comes_later(net: Net) -> None:
    """Several *go* may wait on the sockets: if each began the next claim at once, the loop would never be let go."""
    b, p, offer = receiving(net)
    net.until(lambda: b.is_(State.RECEIVING), 0.1)
    p.interval_s = 0.001
    p.handover = offer._replace(step=HandoverStep.GO)
    p.speak(WireRole.YIELDING)
    net.until(lambda: bool(net.did("b", act.Permit)), 0.1)
    b.claims.clear()
    net.until(lambda: b.is_(State.RECEIVING), 2 * COMMIT_S)
    begun = len(net.did("b", act.BeginClaim))
    net.run(TURN_S - COMMIT_S)
    assert b.is_(State.RECEIVING)
    assert len(net.did("b", act.BeginClaim)) == begun
    net.until(lambda: net.answerers() == ["b"], 0.1)
