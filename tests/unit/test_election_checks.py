"""Health checks: a failing node is no candidate while another one passes; if all fail the holder stays."""

from unit.fakes.checked import CHECK, MOVE_S, checked, machines, say, wait_holder
from unit.fakes.names import VIP
from unit.fakes.net import Net
from unit.fakes.scenes import probes
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.checks import FAILING
from vipa.election.duel import UNRANKED
from vipa.election.ranks import TURNS_PERMITS
from vipa.election.states import State
from vipa.election.vip import Verdict
from vipa.heartbeat import HandoverStep, WireRole
from vipa.plan import CheckKind, FailbackPolicy, HealthCheck, Plan, Policy
from vipa.planner import groups
from vipa.reasons import Reason
from vipa.resources.interfacelist import ENTRIES_MAX
from vipa.timing import PROFILES, Timing, node_death_s

PROFILE = PROFILES[Timing.DEFAULT]
OTHER = HealthCheck(CheckKind.HTTP, 80, "/")


def test_a_failing_rank_fits_between_the_ranks_and_none() -> None:
    assert ENTRIES_MAX <= FAILING
    assert FAILING + ENTRIES_MAX <= UNRANKED


def test_checks_are_each_nodes_own_affair_but_make_another_group(net: Net) -> None:
    """An older agent knows nothing of them, and goes on making planned moves with those that do."""
    net.machine("a", 4)
    plain = net.vip(4, 5)
    asking = checked(plain)
    assert (asking.id, asking.digest) == (plain.id, plain.digest)
    assert groups(Plan(0, (asking,))).keys() != groups(Plan(0, (plain,))).keys()


def test_a_failing_holder_hands_over_make_before_break(net: Net) -> None:
    a, b, c = machines(net, 4, 5, 6)
    say(a, CHECK)
    took = wait_holder(net, "b")
    assert took <= MOVE_S
    assert not net.doubles
    assert net.states("b")[-3:] == [State.RECEIVING, State.CLAIMING, State.HOLDER]
    assert b.vip().reason is Reason.HEALTH_CHECK_FAILED
    yielded = [e.action for e in net.did("a", act.Transition) if "Yielding" in str(e.action)]
    assert [t.reason for t in yielded if isinstance(t, act.Transition) and t.new == "Yielding"] == [
        Reason.HEALTH_CHECK_FAILED
    ]
    net.run(3)
    assert a.is_(State.SPARE)
    assert c.is_(State.SPARE)
    assert not a.bound


def test_without_the_rule_it_would_stay(net: Net) -> None:
    """The same, but the virtual IP has no such check: what is asked for others is of no interest to it."""
    a = machines(net, 4, 5)[0]
    say(a, OTHER)
    net.run(2)
    assert net.answerers() == ["a"]
    assert a.vip().verdict is Verdict.PASSING


def test_it_goes_to_the_best_that_passes(net: Net) -> None:
    a, b, _, d = machines(net, 4, 5, 6, 8)
    say(b, CHECK)
    net.run(0.1)
    say(a, CHECK)
    wait_holder(net, "c")
    say(d, CHECK)
    say(net.machines["c"], CHECK)
    net.run(2)
    assert net.answerers() == ["c"]  # all fail
    assert not net.doubles


def test_if_all_fail_the_holder_stays_until_one_passes(net: Net) -> None:
    a, b = machines(net, 4, 5)
    say(b, CHECK)
    net.run(0.1)
    say(a, CHECK)
    net.run(5)
    assert net.answerers() == ["a"]
    assert not net.did("a", act.Revoke)
    say(b)
    wait_holder(net, "b")
    assert not net.doubles


def test_paused_it_stays(net: Net) -> None:
    a = machines(net, 4, 5, policy=Policy())[0]
    paused = checked(net.vip(4, 5, policy=Policy(paused=True)))
    for machine in net.machines.values():
        machine.step(ev.PlanChanged(Plan(0, (paused,))))
    say(a, CHECK)
    net.run(2)
    assert net.answerers() == ["a"]


def test_the_only_node_stays(net: Net) -> None:
    (a,) = machines(net, 4)
    say(a, CHECK)
    net.run(2)
    assert net.answerers() == ["a"]
    assert a.vip().verdict is Verdict.FAILING


def test_a_check_that_comes_with_a_plan_is_known_at_once(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    for machine in (a, b):
        say(machine, *([CHECK] if machine is a else []))
    net.until(lambda: net.answerers() == ["a"], 2)
    for machine in (a, b):
        machine.step(ev.PlanChanged(Plan(0, (checked(net.vip(4, 5)),))))
    wait_holder(net, "b")


def test_when_the_holder_dies_a_failing_spare_lets_a_worse_one_that_passes(net: Net) -> None:
    a, b, _ = machines(net, 4, 5, 6)
    say(b, CHECK)
    net.run(0.1)
    a.on = False
    died = net.now
    took = net.until(lambda: net.answerers() == ["c"], 1)
    assert took <= node_death_s(PROFILE, 1) + 0.02
    assert not probes(net, "b", since=died)
    assert not net.doubles


def test_a_failing_spare_serves_when_nobody_passes(net: Net) -> None:
    a, b, c = machines(net, 4, 5, 6)
    for machine in (b, c):
        say(machine, CHECK)
    net.run(0.1)
    a.on = False
    assert wait_holder(net, "b", 1) <= node_death_s(PROFILE, 1) + 0.02
    net.run(1)
    assert b.vip().verdict is Verdict.FAILING
    assert not net.doubles


def test_a_passing_node_that_cannot_claim_is_waited_for_not_for_ever(net: Net) -> None:
    b, p, q = net.machine("b", 5), net.puppet("p", 4), net.puppet("q", 6)
    net.start(checked(net.vip(4, 5, 6)))
    p.speak(WireRole.HOLDER)
    p.rank = 0
    q.rank = 2
    q.speak(WireRole.SPARE)
    say(b, CHECK)
    net.run(1)
    p.speaks = False
    patience_s = TURNS_PERMITS * PROFILE.permit_s
    took = net.until(lambda: net.answerers() == ["b"], patience_s + 1)
    assert took >= patience_s


def test_both_say_so_as_a_worse_rank(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(checked(net.vip(4, 5)))
    p.rank = 1 + FAILING
    p.speak()
    say(a, CHECK)
    net.until(lambda: a.is_(State.HOLDER), 2)
    net.run(1)
    assert p.heard[-1].roles[0].rank == FAILING
    assert not p.handovers_heard()
    p.rank = 1
    net.run(0.2)
    assert p.handovers_heard()[-1].step is HandoverStep.OFFER


def test_a_duel_goes_to_who_passes(net: Net) -> None:
    """After a split: the better rank fails, the worse one does not."""
    a, b = machines(net, 4, 5, policy=Policy(failback=FailbackPolicy.NEVER))
    net.cuts |= {("10.1.1.4", "10.1.1.5"), ("10.1.1.5", "10.1.1.4")}
    net.stations["10.1.1.200"] = "52:54:00:00:00:c8"
    net.until(lambda: b.is_(State.HOLDER), 3)
    say(a, CHECK)
    net.run(0.2)
    net.cuts.clear()
    wait_holder(net, "b", 0.5)
    assert Reason.LOST_DUEL in [
        t.action.reason for t in net.did("a", act.Transition) if isinstance(t.action, act.Transition)
    ]


def test_many_virtual_ips_leave_together_and_all_is_told(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vips = [checked(net.vip(4, 5, name=f"v{n}", address=f"10.1.1.{100 + n}")) for n in range(60)]
    net.start(*vips)
    for machine in (a, b):
        say(machine)
    net.until(lambda: len(a.elected) == 60, 5)
    net.run(1)
    say(a, CHECK)
    net.until(lambda: len(b.elected) == 60, 5)
    assert not a.elected
    assert not net.doubles
    assert VIP not in b.elected


def test_the_spare_that_would_take_over_gets_the_full_rate(net: Net) -> None:
    """Four that fail stand before it, as many as get the full rate by their places in the list."""
    a = net.machine("a", 4)
    puppets = [net.puppet(f"p{last}", last) for last in (5, 6, 8, 9, 10)]
    net.start(checked(net.vip(4, 5, 6, 8, 9, 10)))
    say(a)
    for rank, puppet in enumerate(puppets, 1):
        puppet.rank = rank + (FAILING if puppet is not puppets[-1] else 0)
        puppet.speak()
    net.until(lambda: a.is_(State.HOLDER), 2)
    net.run(5)
    last = a.elector.node.peers[puppets[-1].name]
    assert a.elector.node.interval_to(last) == PROFILE.interval_s
