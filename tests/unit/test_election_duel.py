"""Rule 7, policy Available: where two hold, one comparison decides on both sides, and the loser revokes first."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.fakes.machine import Machine
from unit.fakes.names import VIP, ip
from unit.fakes.net import Net
from unit.fakes.puppet import Puppet
from unit.fakes.scenes import spare_of
from vipa.election import actions as act
from vipa.election.duel import UNRANKED, Duelist, wins
from vipa.election.states import State
from vipa.heartbeat import Relay, WireRole
from vipa.plan import Plan
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (Duelist(True, 0, 5, "b"), Duelist(False, 9, 0, "a")),  # not isolated beats isolated
        (Duelist(True, 3, 5, "b"), Duelist(True, 2, 0, "a")),  # then the newer epoch
        (Duelist(True, 2, 5, "b"), Duelist(True, 3, UNRANKED, "a")),  # that names the candidate
        (Duelist(True, 3, 0, "b"), Duelist(True, 3, 1, "a")),  # then better rank
        (Duelist(True, 3, 1, "a"), Duelist(True, 3, 1, "b")),  # then name
        (Duelist(False, 0, UNRANKED, "a"), Duelist(False, 0, UNRANKED, "b")),
    ],
)
def test_who_wins(winner: Duelist, loser: Duelist) -> None:
    assert wins(winner, loser)
    assert not wins(loser, winner)


ranks = st.sampled_from([0, 1, 2, UNRANKED])
duelists = st.builds(Duelist, st.booleans(), st.integers(0, 3), ranks, st.sampled_from("abc"))


@given(duelists, duelists, duelists)
def test_both_sides_and_any_third_agree(a: Duelist, b: Duelist, c: Duelist) -> None:
    if a.node != b.node:
        assert wins(a, b) != wins(b, a)
    for x, y, z in permutations((a, b, c)):
        if len({x.node, y.node, z.node}) == 3 and wins(x, y) and wins(y, z):
            assert wins(x, z)


def two_holders(net: Net, mine: int = 5, theirs: int = 4) -> tuple[Machine, Puppet]:
    """b holds and p, not heard before, is about to say that it does."""
    b, p = net.machine("b", mine), net.puppet("p", theirs)
    net.start(net.vip(4, 5))
    net.run(1)
    assert b.is_(State.HOLDER)
    return b, p


def test_against_a_better_rank_it_revokes_before_it_says_anything(net: Net) -> None:
    b, p = two_holders(net)
    begin = len(net.log)
    p.speak(WireRole.HOLDER)
    net.until(lambda: not b.is_(State.HOLDER), 3 * PROFILE.interval_s)
    assert b.vip().reason is Reason.LOST_DUEL
    assert not b.bound
    kinds = [type(e.action) for e in net.log[begin:]]
    assert kinds.index(act.Revoke) < kinds.index(act.Transition)
    net.run(2)
    assert b.is_(State.SPARE)


def test_against_a_worse_rank_it_stays_and_announces_again(net: Net) -> None:
    b, p = two_holders(net, mine=4, theirs=5)
    begin = net.now
    p.speak(WireRole.HOLDER)
    net.run(0.1)
    assert b.is_(State.HOLDER)
    assert [e for e in net.did("b", act.Announce) if begin < e.at]
    assert not net.did("b", act.Revoke)


def test_an_isolated_holder_loses_whatever_its_rank(net: Net) -> None:
    b, p = two_holders(net)
    p.isolated = True
    p.speak(WireRole.HOLDER)
    net.run(0.3)
    assert b.is_(State.HOLDER)


def test_an_unhealthy_holder_loses_too(net: Net) -> None:
    b, p = two_holders(net)
    p.healthy = False
    p.speak(WireRole.HOLDER)
    net.run(0.3)
    assert b.is_(State.HOLDER)


def test_a_newer_epoch_beats_a_better_rank(net: Net) -> None:
    b, p = two_holders(net, mine=4, theirs=5)
    p.epoch, p.plan = 3, 12345
    p.speak(WireRole.HOLDER)
    net.run(0.3)
    assert b.is_(State.SPARE)
    assert b.vip().reason is Reason.LOST_DUEL


def test_an_epoch_that_changed_for_other_vips_does_not_decide(net: Net) -> None:
    b, p = two_holders(net, mine=4, theirs=5)
    p.epoch = 3
    p.speak(WireRole.HOLDER)
    net.run(0.1)
    assert b.is_(State.HOLDER)


def test_a_duel_is_fought_on_relayed_news(net: Net) -> None:
    b, q = net.machine("b", 5), net.puppet("q", 6)
    net.start(net.vip(4, 5, 6))
    net.run(0.5)
    assert b.is_(State.HOLDER)
    q.relays = (Relay(b.vip().id, 77, 0, 0, False, 0.001),)
    q.speak(WireRole.SPARE)
    net.until(lambda: not b.is_(State.HOLDER), 0.2)
    assert b.vip().reason is Reason.LOST_DUEL


def test_the_dead_holder_it_follows_is_no_rival(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.run(1)
    assert not [e for e in net.did("b", act.Transition) if "LostDuel" in str(e.action)]
    assert b.is_(State.HOLDER)


def test_a_split_heals_to_one_holder_within_an_interval_or_two(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5)
    net.start(vip)
    net.run(1)
    net.cuts = {(ip(4), ip(5)), (ip(5), ip(4))}
    net.run(2)
    assert net.answerers() == ["a", "b"]
    net.cuts.clear()
    net.until(
        lambda: net.answerers(VIP) == ["a"], 1 + 4 * PROFILE.interval_s
    )  # beats to a dead address go once a second
    net.run(3)
    assert a.is_(State.HOLDER)
    assert b.is_(State.SPARE)


def test_plans_of_different_epochs_decide_by_the_newer(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.cuts = {(ip(4), ip(5)), (ip(5), ip(4))}
    a.start(Plan(1, (net.vip(4, 5),)))
    b.start(Plan(2, (net.vip(5, 4),)))
    net.run(1)
    net.cuts.clear()
    net.run(3)
    assert net.answerers() == ["b"]
    assert a.is_(State.SPARE)
