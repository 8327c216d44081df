"""Rules 2, 3 and 9: away from a failed endpoint at once, back to a better one by policy only."""

import pytest

from unit.fakes.machine import COMMIT_S, Machine
from unit.fakes.names import VIP, ip
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election.failback import DELAY_S_MAX, wait_s
from vipa.election.states import State
from vipa.plan import FailbackPolicy, Policy
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]
DELAYED_2S = Policy(failback_delay_s=2.0)


@pytest.mark.parametrize(
    ("policy", "flaps", "healthy_for_s", "wait"),
    [
        (Policy(failback=FailbackPolicy.IMMEDIATE), 9, 0.0, 0.0),
        (Policy(failback=FailbackPolicy.NEVER), 0, 1e9, float("inf")),
        (Policy(), 0, 0.0, 30.0),
        (Policy(), 1, 10.0, 20.0),
        (Policy(), 1, 31.0, 0.0),
        (Policy(), 2, 0.0, 60.0),
        (Policy(), 3, 0.0, 120.0),
        (Policy(), 6, 0.0, DELAY_S_MAX),
        (Policy(), 60_000, 0.0, DELAY_S_MAX),
        (Policy(failback_delay_s=3600.0), 1, 0.0, 3600.0),
    ],
)
def test_the_wait_by_policy_and_flaps(policy: Policy, flaps: int, healthy_for_s: float, wait: float) -> None:
    assert wait_s(policy, flaps, healthy_for_s) == wait


def two_nics(net: Net, policy: Policy | None = None, order: tuple[int, ...] = (4, 5, 6)) -> Machine:
    """a holds on its first of two NICs; p (10.1.1.6) is a spare."""
    a, p = net.machine("a", 4, 5), net.puppet("p", 6)
    p.healthy_for_s = 0.0
    net.start(net.vip(*order, policy=policy))
    p.speak()
    net.run(1)
    assert a.elected == {VIP: "eth1"}
    return a


def test_a_lost_link_moves_the_vip_in_one_transaction_and_announces(net: Net) -> None:
    a = two_nics(net)
    failed = net.now
    a.interface("eth1", carrier=False)
    net.run(2 * COMMIT_S)
    (move,) = net.did("a", act.Move)
    assert move.at == failed
    assert move.action == act.Move("v", (VIP,), "eth1", "eth2", 0.5)
    assert a.elected == {VIP: "eth2"}
    assert a.is_(State.HOLDER)
    assert a.vip().reason is Reason.ENDPOINT_FAILED
    announce = net.did("a", act.Announce)[-1]
    assert announce.at >= failed
    assert isinstance(announce.action, act.Announce)
    assert announce.action.interface == "eth2"
    assert not net.did("a", act.Unbind, act.Revoke)
    assert a.renewing == (("eth2", 0.5),)


@pytest.mark.parametrize("gone", [True, False])
def test_a_path_that_dies_with_its_link_up_is_left_within_two_silences(net: Net, gone: bool) -> None:
    a = two_nics(net)
    if gone:
        a.interface("eth1", gone=True)
    else:
        net.cuts |= {(ip(4), "*"), ("*", ip(4))}
    took = net.until(lambda: a.elected == {VIP: "eth2"}, 1)
    assert took <= (0.001 if gone else 2 * PROFILE.silence_s)
    expected = Reason.INTERFACE_MISSING if gone else Reason.PATH_SILENT
    assert a.elector.node.health.endpoints[ip(4)].reason is expected


@pytest.mark.parametrize("policy", [FailbackPolicy.IMMEDIATE, FailbackPolicy.DELAYED, FailbackPolicy.NEVER])
def test_the_return_is_by_policy(net: Net, policy: FailbackPolicy) -> None:
    a = two_nics(net, Policy(failback=policy, failback_delay_s=2.0))
    a.interface("eth1", carrier=False)
    net.run(0.5)
    a.interface("eth1", carrier=True)
    back = net.now
    net.run(1.9)
    assert a.elected == {VIP: "eth1" if policy is FailbackPolicy.IMMEDIATE else "eth2"}
    net.run(8)
    assert a.elected == {VIP: "eth2" if policy is FailbackPolicy.NEVER else "eth1"}
    if policy is FailbackPolicy.DELAYED:
        at = net.did("a", act.Move)[-1].at
        assert 2.0 <= at - back <= 2.0 + 2 * PROFILE.silence_s
    if policy is not FailbackPolicy.NEVER:
        assert a.vip().reason is Reason.BETTER_ENDPOINT_BACK


def test_the_delay_doubles_with_each_flap(net: Net) -> None:
    a = two_nics(net, DELAYED_2S)
    waits = []
    for _ in range(3):
        a.interface("eth1", carrier=False)
        net.run(0.5)
        a.interface("eth1", carrier=True)
        waits.append(net.until(lambda: a.elected == {VIP: "eth1"}, 20))
        net.run(0.1)
    slack = 2 * PROFILE.silence_s
    assert [w - 2 * 2**n for n, w in enumerate(waits)] == pytest.approx([slack / 2] * 3, abs=slack / 2 + 0.001)


def test_when_another_node_s_is_next_it_moves_to_its_own_spare_and_hands_over(net: Net) -> None:
    a, c = net.machine("a", 4, 6), net.machine("c", 5)
    net.start(net.vip(4, 5, 6))
    net.run(1)
    a.interface("eth1", carrier=False)
    net.run(2 * COMMIT_S)
    assert a.elected == {VIP: "eth2"}
    net.until(lambda: c.is_(State.HOLDER), 0.5)
    net.run(0.01)
    assert net.answerers() == ["c"]
    assert not net.doubles
    assert c.vip().reason is Reason.HANDED_OVER


def test_without_any_link_it_revokes_after_half_a_silence(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak()
    net.run(1)
    a.interface("eth1", carrier=False)
    took = net.until(lambda: not a.elected, 1)
    assert took == pytest.approx(PROFILE.silence_s / 2, abs=0.001)
    assert a.vip().reason is Reason.NO_HEALTHY_ENDPOINT
    assert not a.bound
    net.run(5)
    assert not a.elected


def test_a_flicker_of_the_only_link_moves_nothing(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak()
    net.run(1)
    a.interface("eth1", carrier=False)
    net.run(PROFILE.silence_s / 3)
    a.interface("eth1", carrier=True)
    net.run(1)
    assert a.elected == {VIP: "eth1"}


def test_the_other_node_s_flaps_travel(net: Net) -> None:
    a, c = net.machine("a", 4), net.machine("c", 5)
    net.start(net.vip(4, 5, policy=DELAYED_2S))
    net.run(1)
    for _ in range(2):
        a.interface("eth1", carrier=False)
        net.run(0.5)
        a.interface("eth1", carrier=True)
        net.run(0.5)
    assert c.is_(State.HOLDER)
    assert c.elector.node.peers["a"].endpoints[ip(4)].flaps == 2
    net.run(2.5)
    assert c.is_(State.HOLDER)
    net.until(lambda: a.is_(State.HOLDER), 3)
