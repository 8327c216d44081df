"""Beats in one rhythm: a follower answers its leader's beat, and nobody is held back or driven by it."""

import pytest

from unit.fakes.names import CLUSTER, KEY
from unit.fakes.net import WIRE_S, Net
from vipa.election import actions as act
from vipa.election.elector import Config
from vipa.election.pace import SLACK, Pace
from vipa.election.peers import node_id
from vipa.heartbeat import decode

INTERVAL_S = 0.02
CLUSTERS = Config("", 0, cluster=CLUSTER).cluster_ids


@pytest.fixture
def follower() -> Pace:
    """Beat at 0.0, and so due at 0.022, after its leader "l"."""
    pace = Pace()
    pace.take([INTERVAL_S], {INTERVAL_S: "l"})
    pace.sent(INTERVAL_S, 0.0)
    assert pace.next_deadline() == pytest.approx(INTERVAL_S * (1 + SLACK))
    return pace


def test_a_follower_answers_its_leader(follower: Pace) -> None:
    follower.heard("l", INTERVAL_S, 0.0201)
    assert follower.next_deadline() == 0.0201


@pytest.mark.parametrize(("peer", "interval_s"), [("x", INTERVAL_S), ("l", 1.0)])
def test_it_answers_nobody_else_and_no_other_interval(follower: Pace, peer: str, interval_s: float) -> None:
    follower.heard(peer, interval_s, 0.0201)
    assert follower.next_deadline() == pytest.approx(0.022)


def test_out_of_rhythm_it_comes_nearer_step_by_step(follower: Pace) -> None:
    leader_s, answered = 0.005, 0
    for _ in range(12):
        while follower.next_deadline() < leader_s:
            follower.sent(INTERVAL_S, follower.next_deadline())
        follower.heard("l", INTERVAL_S, leader_s)
        answered = answered + 1 if follower.next_deadline() == leader_s else 0
        leader_s += INTERVAL_S
    assert answered >= 5


def test_a_leader_with_much_news_holds_no_follower_back(follower: Pace) -> None:
    for ms in range(1, 25):
        follower.heard("l", INTERVAL_S, ms / 1000)
    assert follower.next_deadline() <= INTERVAL_S * (1 + 2 * SLACK)


def test_a_leader_with_much_news_drives_no_follower(follower: Pace) -> None:
    beats = 0
    for ms in range(1, 101):
        follower.heard("l", INTERVAL_S, ms / 1000)
        if follower.next_deadline() <= ms / 1000:
            follower.sent(INTERVAL_S, ms / 1000)
            beats += 1
    assert beats <= 10  # of the five that are due: half an interval early at most


def test_a_leader_to_whom_no_path_is_left_leads_nobody(follower: Pace) -> None:
    follower.take([], {INTERVAL_S: "l"})
    follower.heard("l", INTERVAL_S, 0.005)
    assert follower.next_deadline() == float("inf")


def test_a_node_without_a_leader_keeps_its_own_phase() -> None:
    pace = Pace()
    pace.take([INTERVAL_S], {})
    pace.sent(INTERVAL_S, 1.0)
    pace.sent(INTERVAL_S, 1.023)  # 3 ms late
    assert pace.next_deadline() == pytest.approx(1.04)


def beats_of(net: Net, name: str) -> list[float]:
    """When ``name`` beat at full rate in the second past."""
    beats = [(e.at, e.action) for e in net.did(name, act.SendBeat) if e.at > net.now - 1]
    payloads = [(at, beat.payload) for at, beat in beats if isinstance(beat, act.SendBeat)]
    times = {at for at, payload in payloads if decode(payload, [KEY], CLUSTERS).interval_s == INTERVAL_S}
    return sorted(times)


@pytest.mark.parametrize("holder", ["a", "b"])
def test_spares_beat_when_their_holder_does(net: Net, holder: str) -> None:
    lasts = {"a": 4, "b": 5, "c": 6, "d": 8}
    for name, last in lasts.items():
        net.machine(name, last)
    order = sorted(lasts.values(), key=lambda last: last != lasts[holder])
    net.start(net.vip(*order))
    net.run(5)
    assert net.answerers() == [holder]
    led = beats_of(net, holder)
    assert 49 <= len(led) <= 51
    for spare in lasts.keys() - {holder}:
        beats = beats_of(net, spare)
        assert 48 <= len(beats) <= 51
        in_time = [at for at in beats if any(0 <= at - other <= 2 * WIRE_S for other in led)]
        assert len(in_time) >= len(beats) - 1


def test_holders_of_two_vips_share_one_rhythm(net: Net) -> None:
    net.machine("a", 4)
    net.machine("b", 5)
    net.start(net.vip(4, 5), net.vip(5, 4, name="w", address="10.1.1.201"))
    net.run(5)
    assert net.answerers() == ["a"]
    assert net.answerers("10.1.1.201") == ["b"]
    leader, follower = sorted("ab", key=node_id)
    led, beats = beats_of(net, leader), beats_of(net, follower)
    assert all(any(0 <= at - other <= 2 * WIRE_S for other in led) for at in beats[1:])
    assert 48 <= len(beats) <= 51
