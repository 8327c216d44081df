"""Rules 6 and 8: the permit is the dead man's switch; a restarted agent takes over what is alive."""

import pytest

from unit.fakes.names import CLUSTER, KEY, VIP
from unit.fakes.net import Net
from unit.fakes.scenes import holder_and_spare
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.elector import Config
from vipa.election.states import State
from vipa.heartbeat import WireRole, decode
from vipa.plan import Plan
from vipa.reasons import Reason

TOUCHING = (act.Bind, act.Unbind, act.Revoke, act.Move, act.Permit, act.BeginClaim)


def said(action: act.Action) -> set[WireRole]:
    if not isinstance(action, act.SendBeat):
        return set()
    return {r.role for r in decode(action.payload, [KEY], Config("", 0, cluster=CLUSTER).cluster_ids).roles}


def test_a_lapsed_permit_comes_before_anything_else(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.frozen = True
    net.run(0.6)
    assert net.answerers() == []
    begin = len(net.log)
    a.thaw()
    first = [e.action for e in net.log[begin:] if e.node == "a"]
    assert [type(x) for x in first[:4]] == [act.Revoke, act.Renew, act.Unbind, act.Transition]
    assert not any(WireRole.HOLDER in said(x) for x in first)
    assert a.is_(State.LISTENING)
    assert a.vip().reason is Reason.PERMIT_LAPSED
    assert not a.bound
    assert not a.elected


def test_after_a_lapse_it_listens_and_starts_anew(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.frozen = True
    net.run(0.6)
    a.thaw()
    begin = len(net.states("a"))
    net.run(1)
    assert net.states("a")[begin - 1 :] == [
        State.LISTENING,
        State.SPARE,
        State.SUSPECTING,
        State.CLAIMING,
        State.HOLDER,
    ]


def test_the_renewal_thread_s_news_of_a_lapse_counts_too(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.step(ev.PermitLapsed("eth1"))
    assert a.is_(State.LISTENING)
    assert a.renewing == ()


def test_a_renewed_permit_outlives_the_first(net: Net) -> None:
    a, _ = holder_and_spare(net)
    net.run(10)
    assert a.is_(State.HOLDER)
    assert a.elector.node.permits.until["eth1"] > net.now


def test_a_lapse_takes_every_vip_of_the_interface(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5), net.vip(4, 5, name="w", address="10.1.1.8"))
    p.speak()
    net.run(1)
    assert a.is_(State.HOLDER)
    assert a.is_(State.HOLDER, "w")
    a.step(ev.PermitLapsed("eth1"))
    assert a.is_(State.LISTENING)
    assert a.is_(State.LISTENING, "w")


def test_restart_inside_the_permit_adopts_and_touches_nothing(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    begin = len(net.log)
    a.frozen = True  # killed
    net.run(0.03)
    a.restart()
    net.run(2)
    after = [e for e in net.log[begin:] if isinstance(e.action, TOUCHING)]
    assert after == []
    assert a.is_(State.HOLDER)
    assert a.vip().reason is Reason.ADOPTED
    assert a.renewing == (("eth1", 0.5),)
    assert net.answerers() == ["a"]
    assert b.is_(State.SPARE)
    assert not net.doubles


def test_what_the_plan_does_not_give_it_is_not_adopted(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.frozen = True
    a.elector = a._new()
    a.frozen = False
    a.step(ev.PlanChanged(Plan(0, ())))
    a.step(ev.InterfacesChanged(tuple(a.nics.values())))
    a.step(ev.HeldAtStart((VIP,), "eth1", net.now + 0.2, 3))
    assert a.elector.node.permits.renewing == ()
    assert not a.elector.node.vips


def test_an_adopted_term_is_not_forgotten(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.elector = a._new()
    a.step(ev.PlanChanged(a.plan))
    a.step(ev.InterfacesChanged(tuple(a.nics.values())))
    a.step(ev.HeldAtStart((VIP,), "eth1", net.now + 0.2, 41))
    assert a.vip().term == 41


@pytest.mark.parametrize("event", [ev.PermitRenewed("eth9", 1e9), ev.Permitted("gone", "eth1", True, 1e9)])
def test_news_of_what_is_not_held_changes_nothing(net: Net, event: ev.Event) -> None:
    a, _ = holder_and_spare(net)
    before = dict(a.elector.node.permits.until)
    a.step(event)
    assert a.elector.node.permits.until == before


def test_a_permit_that_took_long_to_commit_counts(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5))
    p.speak(WireRole.HOLDER)
    net.run(1)
    p.speaks = False
    net.until(lambda: bool(net.did("b", act.Permit)), 1)
    b.frozen = True  # the commit blocks the loop for longer than an interval
    net.run(0.05)
    b.thaw()
    net.run(1)
    assert net.answerers() == ["b"]
    assert b.is_(State.HOLDER)
    assert b.bound


def test_a_move_that_took_longer_than_the_old_permit_counts(net: Net) -> None:
    a, p = net.machine("a", 4, 5), net.puppet("p", 6)
    net.start(net.vip(4, 5, 6))
    p.speak()
    net.run(1)
    a.interface("eth1", carrier=False)
    assert net.did("a", act.Move)
    a.renewing, a.frozen = (), True
    net.run(0.52)
    a.alive["eth2"] = net.now + 0.3
    a.waiting = [ev.Permitted("v", "eth2", True, net.now + 0.3)]
    a.thaw()
    net.run(0.01)
    assert a.is_(State.HOLDER)
    assert a.bound
    assert net.answerers() == ["a"]
