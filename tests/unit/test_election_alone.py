"""Rules 2 and 6: the only node of a plan serves on without a timed permit; others give way when isolated."""

from unit.fakes.names import VIP, ip
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


def test_the_only_node_holds_by_an_untimed_permit_and_keeps_it_when_isolated(net: Net) -> None:
    a = net.machine("a", 4, 5)
    net.start(net.vip(4, 5))
    net.run(1)
    (permit,) = net.did("a", act.Permit)
    assert permit.action == act.Permit("v", (VIP,), "eth1", None)
    assert a.renewing == ()
    net.stations.clear()
    net.run(10)
    assert a.is_(State.HOLDER)
    assert net.answerers() == ["a"]


def test_the_only_node_claims_on_an_empty_lan(net: Net) -> None:
    net.stations.clear()
    net.machine("a", 4)
    net.start(net.vip(4))
    net.until(lambda: net.answerers() == ["a"], 2)


def test_the_only_node_still_moves_between_its_adapters(net: Net) -> None:
    a = net.machine("a", 4, 5)
    net.start(net.vip(4, 5))
    net.run(1)
    a.interface("eth1", carrier=False)
    net.run(0.1)
    assert a.elected == {VIP: "eth2"}


def test_an_isolated_holder_with_others_in_the_plan_revokes_and_claims_nothing(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    net.cuts |= {("*", ip(4)), (ip(4), "*")}
    took = net.until(lambda: not a.elected, 1)
    assert took <= 3 * PROFILE.silence_s
    assert a.vip().reason is Reason.ISOLATED
    assert a.elector.node.health.endpoints[ip(4)].reason is Reason.ISOLATED
    begin = net.now
    net.run(5)
    assert b.is_(State.HOLDER)
    assert a.is_(State.LISTENING)
    assert not [e for e in net.did("a", act.Announce, act.Permit, act.BeginClaim) if e.at > begin]


def test_with_its_first_frame_it_starts_anew(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    net.cuts |= {("*", ip(4)), (ip(4), "*")}
    net.run(3)
    net.cuts.clear()
    net.run(3)
    assert a.is_(State.SPARE)
    assert b.is_(State.HOLDER)
    assert net.answerers() == ["b"]


def test_the_only_node_claims_again_when_somebody_removed_the_gate(net: Net) -> None:
    a = net.machine("a", 4)
    net.start(net.vip(4))
    net.run(1)
    assert net.answerers() == ["a"]
    a.elected.clear()  # no renewal tells: its permit has no end
    net.run(5)
    assert net.answerers() == []
    a.step(ev.GateLost())
    assert net.until(lambda: net.answerers() == ["a"], 1) < 2 * PROFILE.silence_s + PROFILE.probes * PROFILE.gap_s
