"""Rule 5, who may suspect at all: a node that others hear, and that has stood still for no moment of the silence."""

import pytest

from unit.fakes.names import ip
from unit.fakes.net import Net
from unit.fakes.scenes import probes, spare_of, two_spares_of
from vipa.election import actions as act
from vipa.election.states import State
from vipa.heartbeat import Relay, WireRole
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


def test_the_deaf_do_not_claim(net: Net) -> None:
    spare_of(net)
    net.cuts.add(("*", ip(5)))
    net.run(5)
    assert not net.did("b", act.BeginClaim, act.Bind, act.Permit)


def test_contact_older_than_the_suspicion_does_not_count(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    # deaf from here on, a whole silence before it can know that it is isolated
    net.cuts.add(("*", ip(5)))
    contact = b.elector.node.health.endpoints[ip(5)].contact_at
    net.run(PROFILE.silence_s - (net.now - contact) - 0.001)
    assert b.is_(State.SUSPECTING)
    assert len(probes(net, "b")) > PROFILE.probes
    assert b.vip().reason is Reason.NO_CONTACT
    net.run(1)
    assert not net.did("b", act.BeginClaim)


def test_hearing_without_being_heard_is_no_contact(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.stations.clear()
    p.deaf = True
    net.start(net.vip(4, 5))
    p.speak(WireRole.HOLDER)
    net.run(5)
    assert not net.did("b", act.BeginClaim)
    assert b.elector.node.health.endpoints[ip(5)].reason is Reason.ONE_WAY


def test_a_spare_that_only_a_deaf_holder_cannot_hear_claims_when_its_permit_ends(net: Net) -> None:
    spare_of(net)[1].deaf = True  # the holder speaks on but hears nobody; the gateway hears this node
    net.run(1)
    assert net.did("b", act.BeginClaim)


def test_news_of_the_holder_from_another_node_resets_the_count(net: Net) -> None:
    b, p, q = two_spares_of(net, 6, 5)
    holder = b.elector.node.peers["p"].id
    net.cuts.add((p.address, ip(6)))
    q.relays = (Relay(b.vip().id, holder, 0, 0, False, 0.001),)
    net.run(1)
    assert not net.did("b", act.BeginClaim)
    q.relays = ()
    net.run(1)
    assert net.did("b", act.BeginClaim)


def test_a_late_node_starts_its_suspicion_over(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    b.frozen = True
    net.run(PROFILE.permit_s)
    b.thaw()
    thawed = net.now
    assert b.is_(State.SPARE)
    assert b.vip().reason is Reason.LISTENING
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    assert net.now - thawed == pytest.approx(PROFILE.silence_s, abs=1e-3)
