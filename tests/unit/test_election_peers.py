"""Rules 2 and 13: which heartbeats count, and who gets how many."""

from dataclasses import replace

import pytest

from unit.fakes.names import CLUSTER, KEY, ip, mac_of
from unit.fakes.net import Net
from unit.fakes.scenes import holder_and_spare, spare_of
from vipa.election import events as ev
from vipa.election.elector import Config
from vipa.election.rates import SPARES_FULL
from vipa.election.states import State
from vipa.heartbeat import Key, WireRole, encode
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


def test_a_replayed_beat_is_dropped_and_counted(net: Net) -> None:
    a, p = holder_and_spare(net)
    p.send(p.said[0])
    p.send(p.said[-1])
    net.run(0.001)
    assert a.results["replayed"] == 2


def test_another_incarnation_that_does_not_hear_us_replaces_nobody_who_does(net: Net) -> None:
    a, p = holder_and_spare(net)
    known = p.incarnation
    twin = replace(p.beat(), incarnation=known + 1, seq=10_000, echoes=())
    a.step(ev.BeatReceived("eth1", ip(5), mac_of(ip(5)), encode(twin, KEY, Config("", 0, cluster=CLUSTER).cluster_id)))
    assert a.results["stale"] == 1
    assert a.elector.node.peers["p"].incarnation == known


def test_a_restarted_peer_is_heard_again(net: Net) -> None:
    a, p = holder_and_spare(net)
    p.incarnation, p.seq = p.incarnation + 1, 0
    net.run(0.2)
    assert a.elector.node.peers["p"].incarnation == p.incarnation
    assert a.elector.node.peers["p"].two_way(net.now)


def test_a_replayed_holder_takes_nothing_from_the_dead_s_follower(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.run(1)
    assert b.is_(State.HOLDER)
    for old in p.said[-20:]:
        p.send(old)
    net.run(1)
    assert b.is_(State.HOLDER)


@pytest.mark.parametrize(
    ("word", "key", "cluster"),
    [
        ("forged", Key(KEY.id, b"a secret that was guessed wrong"), CLUSTER),
        ("key", Key(99, KEY.secret), CLUSTER),
        ("cluster", KEY, "another"),
    ],
)
def test_strangers_are_counted_by_word_and_move_nothing(net: Net, word: str, key: Key, cluster: str) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5))
    p.key, p.cluster = key, cluster
    p.speak(WireRole.HOLDER)
    net.run(1)
    assert b.is_(State.HOLDER)
    assert b.results[word] > 10
    assert set(b.results) == {word}


def test_noise_is_counted_as_garbled(net: Net) -> None:
    a, _ = holder_and_spare(net)
    a.step(ev.BeatReceived("eth1", ip(5), mac_of(ip(5)), b"noise"))
    assert a.results["garbled"] == 1


def test_an_unsigned_beat_is_refused_where_keys_are_set(net: Net) -> None:
    a, p = holder_and_spare(net)
    unsigned = encode(p.beat(), Key(0, b""), Config("", 0, cluster=CLUSTER).cluster_id)
    a.step(ev.BeatReceived("eth1", ip(5), mac_of(ip(5)), unsigned))
    assert a.results["key"] == 1


def test_a_beat_under_our_own_name_is_not_listened_to(net: Net) -> None:
    a, p = holder_and_spare(net)
    twin = replace(p.beat(), node="a", seq=10_000)
    payload = encode(twin, KEY, Config("", 0, cluster=CLUSTER).cluster_id)
    a.step(ev.BeatReceived("eth1", ip(5), mac_of(ip(5)), payload))
    assert a.results["own"] == 1
    assert "a" not in a.elector.node.peers


def test_a_peer_that_has_not_heard_us_is_not_counted_as_holder(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    p.deaf = True
    net.start(net.vip(4, 5))
    p.speak(WireRole.HOLDER)
    net.run(1)
    assert b.is_(State.HOLDER)
    assert set(b.results) == {"asked"}


def test_unknown_fields_are_counted(net: Net) -> None:
    a, p = holder_and_spare(net)
    body = encode(replace(p.beat(), seq=10_000), KEY, Config("", 0, cluster=CLUSTER).cluster_id)[:-16]
    body += b"\xc8\x00\x01x"
    a.step(ev.BeatReceived("eth1", ip(5), mac_of(ip(5)), body + KEY.tag(body)))
    assert a.elector.receiver.unknown_fields == 1


def test_nodes_whose_first_key_differs_hear_each_other_while_keys_are_rotated() -> None:
    old, new = Key(1, b"sixteen bytes or more of a secret"), Key(2, b"another one of sixteen bytes")
    adding, swapped = Config("a", 1, keys=(old, new)), Config("b", 2, keys=(new, old))
    assert adding.cluster_id in swapped.cluster_ids
    assert swapped.cluster_id in adding.cluster_ids
    assert Config("c", 3, keys=(Key(3, old.secret),)).cluster_id not in adding.cluster_ids
    assert Config("d", 4, keys=(old,), cluster="named").cluster_ids == {Config("e", 5, cluster="named").cluster_id}


def test_full_rate_to_the_first_four_spares_and_a_beat_a_second_to_the_rest(net: Net) -> None:
    net.machine("a", 4)
    spares = [net.puppet(f"p{n}", 20 + n) for n in range(6)]
    net.start(net.vip(4, *range(20, 26)))
    for spare in spares:
        spare.speak()
    net.run(2)
    before = [len(s.heard) for s in spares]
    net.run(2)
    per_s = [(len(s.heard) - b) / 2 for s, b in zip(spares, before, strict=True)]
    assert per_s[:SPARES_FULL] == pytest.approx([1 / PROFILE.interval_s] * SPARES_FULL, rel=0.1)
    assert max(per_s[SPARES_FULL:]) <= 3
