"""Rules 2 and 13: which heartbeats count, and plans that differ."""

from dataclasses import replace

import pytest

from unit.fakes.names import CLUSTER, KEY, VIP, ip, mac_of
from unit.fakes.net import Net
from unit.fakes.scenes import holder_and_spare, spare_of
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.configuring import READ_S
from vipa.election.elector import Config
from vipa.election.rates import SPARES_FULL
from vipa.election.states import State
from vipa.heartbeat import Key, WireRole, encode
from vipa.plan import Plan, Policy
from vipa.reasons import Reason
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
    assert b.is_(State.HOLDER) or b.is_(State.SUSPECTING)
    assert b.results.get("accepted", 0) == 0


def test_unknown_fields_are_counted(net: Net) -> None:
    a, p = holder_and_spare(net)
    body = encode(replace(p.beat(), seq=10_000), KEY, Config("", 0, cluster=CLUSTER).cluster_id)[:-16]
    body += b"\xc8\x00\x01x"
    a.step(ev.BeatReceived("eth1", ip(5), mac_of(ip(5)), body + KEY.tag(body)))
    assert a.elector.receiver.unknown_fields == 1


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


def test_nodes_whose_first_key_differs_hear_each_other_while_keys_are_rotated() -> None:
    old, new = Key(1, b"sixteen bytes or more of a secret"), Key(2, b"another one of sixteen bytes")
    adding, swapped = Config("a", 1, keys=(old, new)), Config("b", 2, keys=(new, old))
    assert adding.cluster_id in swapped.cluster_ids
    assert swapped.cluster_id in adding.cluster_ids
    assert Config("c", 3, keys=(Key(3, old.secret),)).cluster_id not in adding.cluster_ids
    assert Config("d", 4, keys=(old,), cluster="named").cluster_ids == {Config("e", 5, cluster="named").cluster_id}


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


def test_paused_spares_leave_the_silence_alone_and_holders_serve_on(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5)
    net.start(vip)
    net.run(1)
    paused = replace_policy(net, Policy(paused=True))
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


def replace_policy(net: Net, policy: Policy) -> Plan:
    return Plan(0, (net.vip(4, 5, policy=policy),))
