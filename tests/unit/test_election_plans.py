"""Rule 13: plans that differ between nodes, and a new plan in the place of an old one."""

from unit.fakes.names import VIP
from unit.fakes.net import Net
from unit.fakes.scenes import holder_and_spare
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.configuring import READ_S
from vipa.election.states import State
from vipa.heartbeat import WireRole
from vipa.plan import Plan, Policy
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


def test_a_different_plan_of_the_same_epoch_is_noticed_once(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5))
    p.plan = 12345
    p.speak(WireRole.HOLDER)
    net.run(2)
    (notice,) = net.notices("b", Reason.PLAN_MISMATCH)
    assert (notice.subject, notice.detail) == ("v", "p")
    assert b.vip().mismatch == {"p"}
    assert b.is_(State.SPARE)
    p.plan = None
    net.run(0.5)
    assert b.vip().mismatch == set()


def test_a_peer_that_does_not_follow_a_change_is_noticed_and_one_that_does_is_not(net: Net) -> None:
    a, p = holder_and_spare(net)
    p.plan = a.vip().digest
    changed = net.vip(4, 5, policy=Policy(failback_delay_s=7.0))
    a.step(ev.PlanChanged(Plan(0, (changed,))))
    net.run(READ_S - 0.1)
    assert not net.notices("a", Reason.PLAN_MISMATCH)
    net.run(0.2)
    (notice,) = net.notices("a", Reason.PLAN_MISMATCH)
    assert (notice.subject, notice.detail) == ("v", "p")
    a.step(ev.PlanChanged(Plan(0, (net.vip(4, 5),))))
    p.plan = a.vip().digest
    net.run(READ_S + 1)
    assert len(net.notices("a", Reason.PLAN_MISMATCH)) == 1
    assert a.vip().mismatch == set()


def test_a_different_epoch_is_no_mismatch_and_moves_nothing(net: Net) -> None:
    b, p = net.machine("b", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5), epoch=2)
    p.plan, p.epoch = 12345, 1
    p.healthy_for_s = 0.0
    p.speak(WireRole.HOLDER)
    net.run(3)
    assert not net.notices("b", Reason.PLAN_MISMATCH)
    assert b.is_(State.SPARE)


def test_a_vip_that_is_called_otherwise_is_kept(net: Net) -> None:
    a, _ = holder_and_spare(net)
    begin, term = len(net.log), a.vip().term
    a.plan = Plan(0, (net.vip(4, 5, name="renamed"),))
    a.step(ev.PlanChanged(a.plan))
    net.run(1)
    assert a.is_(State.HOLDER, "renamed")
    assert a.vip("renamed").term == term
    assert list(a.elector.node.vips) == ["renamed"]
    assert not [e for e in net.log[begin:] if isinstance(e.action, act.Revoke | act.Unbind | act.BeginClaim)]


def test_two_vips_that_swap_their_names_are_kept(net: Net) -> None:
    a = net.machine("a", 4)
    one, two = net.vip(4, name="one"), net.vip(4, name="two", address="10.1.1.8")
    a.start(Plan(0, (one, two)))
    net.run(1)
    begin = len(net.log)
    swapped = Plan(0, (net.vip(4, name="two"), net.vip(4, name="one", address="10.1.1.8")))
    a.step(ev.PlanChanged(swapped))
    net.run(1)
    assert a.is_(State.HOLDER, "one")
    assert a.is_(State.HOLDER, "two")
    assert not [e for e in net.log[begin:] if isinstance(e.action, act.Revoke | act.Unbind)]


def test_a_new_plan_keeps_what_is_held(net: Net) -> None:
    a, p = holder_and_spare(net)
    begin = len(net.log)
    more = (net.vip(5, 4), net.vip(4, 5, name="w", address="10.1.1.8"))
    a.plan = Plan(1, more)
    p.healthy_for_s = 0.0
    a.step(ev.PlanChanged(a.plan))
    assert a.is_(State.HOLDER)
    net.run(1)
    touched = [e.action for e in net.log[begin:] if isinstance(e.action, act.Revoke | act.Unbind | act.Move)]
    assert touched == []
    assert a.is_(State.HOLDER)
    assert a.is_(State.HOLDER, "w")


def test_a_vip_that_left_the_plan_is_released(net: Net) -> None:
    a, _ = holder_and_spare(net)
    begin = len(net.log)
    a.step(ev.PlanChanged(Plan(1, ())))
    done = [e.action for e in net.log[begin:]]
    assert act.Revoke("v", (VIP,), "eth1") in done
    assert act.Unbind("v", (VIP,)) in done
    assert [d.reason for d in done if isinstance(d, act.Transition)] == [Reason.PLAN_REMOVED]
    assert a.renewing == ()
    guard = next(d for d in done if isinstance(d, act.Guard))
    assert guard.addresses == ()
    net.run(1)
    assert net.answerers() == []


def test_another_address_under_the_same_name_is_another_vip(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.plan = Plan(1, (net.vip(4, 5, address="10.1.1.8"),))
    a.step(ev.PlanChanged(a.plan))
    assert VIP not in a.elected
    assert a.is_(State.LISTENING)
    net.until(lambda: net.answerers("10.1.1.8") == ["a"], 1)


def test_paused_spares_leave_the_silence_alone_and_holders_serve_on(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    paused = Plan(0, (net.vip(4, 5, policy=Policy(paused=True)),))
    a.step(ev.PlanChanged(paused))
    b.step(ev.PlanChanged(paused))
    net.run(5)
    assert net.answerers() == ["a"]
    a.on = False
    net.run(1)
    b.step(ev.InterfacesChanged(tuple(b.nics.values())))  # any news makes it think again
    net.run(4)
    assert not net.did("b", act.Bind, act.BeginClaim)
    assert b.is_(State.SPARE)
