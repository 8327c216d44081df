"""Health checks: a failing node is no candidate while another one passes; if all fail the holder stays."""

from unit.fakes.machine import Machine
from unit.fakes.names import VIP
from unit.fakes.net import Net
from unit.fakes.scenes import probes
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.checks import FAILING, fails, heard, merits
from vipa.election.claim import TURNS_PERMITS
from vipa.election.duel import UNRANKED
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa.heartbeat import HandoverStep, RoleEntry, WireRole
from vipa.plan import CheckKind, FailbackPolicy, HealthCheck, Plan, PlannedVip, Policy
from vipa.reasons import Reason
from vipa.resources.interfacelist import ENTRIES_MAX
from vipa.timing import PROFILES, Timing, node_death_s

PROFILE = PROFILES[Timing.DEFAULT]
CHECK = HealthCheck(CheckKind.TCP, 443)
OTHER = HealthCheck(CheckKind.HTTP, 80, "/")
LAN = "10.1.1.0/24"
AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)
DELAYED_2S = Policy(failback_delay_s=2.0)
MOVE_S = 0.2
"""A planned move takes two beats and two commits; ten beats are plenty."""


def checked(vip: PlannedVip, *checks: HealthCheck) -> PlannedVip:
    return PlannedVip(vip.name, vip.addresses, vip.succession, vip.policy, checks or (CHECK,))


def say(machine: Machine, *failing: HealthCheck, passing: tuple[HealthCheck, ...] = ()) -> None:
    """The node's checks: what fails; of CHECK it is known that it passes unless it fails."""
    known = {CHECK, *passing} - set(failing)
    machine.step(ev.ChecksChanged({(LAN, c): "refused" for c in failing}, frozenset((LAN, c) for c in known)))


def machines(net: Net, *lasts: int, policy: Policy | None = None) -> list[Machine]:
    """a, b, ... in this order; all pass; a holds."""
    found = [net.machine(name, last) for name, last in zip("abcd", lasts, strict=False)]
    net.start(checked(net.vip(*lasts, policy=policy)))
    for machine in found:
        say(machine)
    net.until(lambda: net.answerers() == ["a"], 2)
    net.run(0.5)
    return found


def holder(net: Net, name: str, within: float = MOVE_S) -> float:
    return net.until(lambda: net.answerers() == [name] and net.machines[name].is_(State.HOLDER), within)


def test_a_failing_rank_fits_between_the_ranks_and_none() -> None:
    assert ENTRIES_MAX <= FAILING
    assert FAILING + ENTRIES_MAX <= UNRANKED


def test_a_failing_holder_hands_over_make_before_break(net: Net) -> None:
    a, b, c = machines(net, 4, 5, 6)
    say(a, CHECK)
    took = holder(net, "b")
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
    holder(net, "c")
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
    holder(net, "b")
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
    holder(net, "a", 4)
    assert not net.doubles


def test_a_check_that_comes_with_a_plan_is_known_at_once(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    for machine in (a, b):
        say(machine, *([CHECK] if machine is a else []))
    net.until(lambda: net.answerers() == ["a"], 2)
    for machine in (a, b):
        machine.step(ev.PlanChanged(Plan(0, (checked(net.vip(4, 5)),))))
    holder(net, "b")


def test_failback_waits_from_the_pass_and_longer_after_each_relapse(net: Net) -> None:
    a = machines(net, 4, 5, policy=DELAYED_2S)[0]
    net.run(5)
    for wait_s in (2.0, 4.0):
        say(a, CHECK)
        holder(net, "b")
        net.run(1)
        say(a)
        assert wait_s <= holder(net, "a", wait_s + MOVE_S)
    assert a.vip().reason is Reason.HANDED_OVER
    assert not net.doubles


def test_a_failing_better_node_gets_nothing_back(net: Net) -> None:
    a = machines(net, 4, 5, policy=AT_ONCE)[0]
    say(a, CHECK)
    holder(net, "b")
    net.run(5)
    assert net.answerers() == ["b"]
    assert not net.doubles


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
    assert holder(net, "b", 1) <= node_death_s(PROFILE, 1) + 0.02
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
    holder(net, "b", 0.5)
    assert Reason.LOST_DUEL in [
        t.action.reason for t in net.did("a", act.Transition) if isinstance(t.action, act.Transition)
    ]


def test_a_shutdown_hands_over_to_who_passes_and_to_who_fails_before_nobody(net: Net) -> None:
    a, b, c = machines(net, 4, 5, 6)
    say(b, CHECK)
    net.run(0.1)
    a.step(ev.StopAsked())
    holder(net, "c")
    c.step(ev.StopAsked())
    holder(net, "b")
    assert net.states("b")[-3:] == [State.RECEIVING, State.CLAIMING, State.HOLDER]
    assert not net.doubles


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
