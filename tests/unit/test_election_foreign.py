"""Rules 10 and 11: foreign owners, rivals of our own, and when a holder announces."""

from itertools import pairwise

import pytest

from unit.fakes.machine import COMMIT_S, Machine
from unit.fakes.names import VIP, ip, mac_of
from unit.fakes.net import Net
from unit.fakes.scenes import holder_and_spare, probes
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.announcing import OFFSETS_S, PERIOD_S, next_at
from vipa.election.claim import CONFLICT_BACKOFF_S
from vipa.election.states import State
from vipa.election.stations import DEFEND_S, FORGOTTEN_S
from vipa.heartbeat import WireRole
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]
FOREIGN = "aa:aa:aa:aa:aa:aa"


def announced(net: Net, node: str, since: float = 0.0) -> list[float]:
    return [e.at for e in net.did(node, act.Announce) if e.at >= since]


def claims_vip(machine: Machine, mac: str, kind: ev.ArpKind = ev.ArpKind.REQUEST) -> list[act.Action]:
    return machine.step(ev.ArpSeen("eth1", kind, mac, VIP, VIP))


def test_the_schedule() -> None:
    assert [next_at(10.0, n, 0.5) - 10.0 for n in range(4)] == pytest.approx([0, 0.1, 1.1, 5.0])
    for jitter in (0.0, 1.0):
        assert 0.94 * PERIOD_S <= next_at(0.0, 4, jitter) - 5.0 <= 1.06 * PERIOD_S
        assert next_at(0.0, 5, jitter) - next_at(0.0, 4, jitter) == pytest.approx(next_at(0.0, 4, jitter) - 5.0)


def test_a_new_holder_announces_by_the_schedule(net: Net) -> None:
    a, _ = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    net.until(lambda: a.is_(State.HOLDER), 1)
    began = net.now
    net.run(135)
    times = [t - began for t in announced(net, "a")]
    assert times[:4] == pytest.approx(list(OFFSETS_S), abs=1e-3)
    assert len(times) == 6
    assert [b - a for a, b in pairwise(times[3:])] == pytest.approx([PERIOD_S] * 2, rel=0.06)


def test_a_foreign_answer_stops_the_claim_and_is_named(net: Net) -> None:
    net.stations[VIP] = FOREIGN
    a, _ = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    net.run(5)
    assert not net.did("a", act.BeginClaim, act.Bind, act.Permit)
    assert a.is_(State.SPARE)
    assert a.vip().reason is Reason.CONFLICT
    (notice,) = net.notices("a", Reason.CONFLICT)
    assert (notice.subject, notice.detail) == ("v", FOREIGN)


def test_a_foreign_owner_is_probed_with_backoff_and_left_when_gone(net: Net) -> None:
    net.stations[VIP] = FOREIGN
    a, _ = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    net.run(100)
    times = probes(net, "a")
    gaps = [b - a for a, b in pairwise(times)]
    first, most = CONFLICT_BACKOFF_S
    assert gaps[:4] == pytest.approx([first * 2**n for n in range(4)], abs=0.1)
    assert gaps[-1] == pytest.approx(most, abs=0.1)
    del net.stations[VIP]
    net.until(lambda: a.is_(State.HOLDER), most + 1)


def test_a_holder_defends_once_in_ten_seconds(net: Net) -> None:
    a, _ = holder_and_spare(net, 7)
    began = net.now
    for _ in range(29):
        claims_vip(a, FOREIGN)
        net.run(1)
    assert a.is_(State.HOLDER)
    assert a.vip().conflict == FOREIGN
    assert len(net.notices("a", Reason.CONFLICT)) == 3
    times = [t - began for t in announced(net, "a", began)]
    assert times[:3] == pytest.approx([0, DEFEND_S, 2 * DEFEND_S], abs=0.1), times


def test_the_last_defence_follows_the_rivals_last_frame_and_the_rival_is_forgotten(net: Net) -> None:
    a, _ = holder_and_spare(net, 7)
    began = net.now
    claims_vip(a, FOREIGN)
    net.run(3)
    claims_vip(a, FOREIGN)
    net.run(FORGOTTEN_S + 5)
    assert announced(net, "a", began)[:2] == pytest.approx([began, began + DEFEND_S], abs=0.1)
    assert a.vip().conflict == ""
    assert len(net.notices("a", Reason.CONFLICT)) == 2
    assert len(net.notices("a", Reason.NO_CONFLICT)) == 1


def test_hundreds_of_forged_macs_are_one_conflict(net: Net) -> None:
    a, _ = holder_and_spare(net, 7)
    began = net.now
    for number in range(300):
        claims_vip(a, f"aa:aa:aa:aa:{number // 250:02x}:{number % 250:02x}")
        net.run(0.01)
    assert len(net.notices("a", Reason.CONFLICT)) == 1
    assert len(announced(net, "a", began)) == 1
    assert a.is_(State.HOLDER)


def test_a_spare_names_a_foreign_announcement_once(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5))
    p.speak(WireRole.HOLDER)
    net.run(1)
    claims_vip(b, FOREIGN)
    claims_vip(b, FOREIGN)
    net.run(11)
    for number in range(100):
        claims_vip(b, f"aa:aa:aa:aa:00:{number:02x}")
    assert [n.detail for n in net.notices("b", Reason.CONFLICT)] == [FOREIGN, "aa:aa:aa:aa:00:00"]
    assert b.is_(State.SPARE)


def test_against_our_own_mac_it_announces_at_most_once_a_gap(net: Net) -> None:
    a, _ = holder_and_spare(net, 7)
    began = net.now
    for _ in range(10):
        claims_vip(a, mac_of(ip(5)))
        net.run(PROFILE.gap_s / 5)
    assert a.is_(State.HOLDER)
    assert not net.notices("a", Reason.CONFLICT)
    assert 2 <= len(announced(net, "a", began)) <= 3


@pytest.mark.parametrize(("better", "heard"), [(True, False), (True, True), (False, False)])
def test_a_better_peer_that_announces_unheard_takes_it(net: Net, better: bool, heard: bool) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4 if better else 9)
    net.start(net.vip(4, 5, 9))
    p.speak(WireRole.SPARE)
    net.run(1)
    assert b.is_(State.HOLDER)
    p.speaks = heard
    net.run(2 * PROFILE.silence_s)
    claims_vip(b, mac_of(p.address))
    gives_way = better and not heard
    assert b.is_(State.HOLDER) is not gives_way
    if gives_way:
        assert b.vip().reason is Reason.RIVAL_ANNOUNCED
        assert not b.elected
        assert not b.bound


def test_our_own_announcements_are_not_rivals(net: Net) -> None:
    a, _ = holder_and_spare(net, 7)
    before = len(announced(net, "a"))
    claims_vip(a, mac_of(ip(4)))
    net.run(3 * COMMIT_S)
    assert len(announced(net, "a")) == before


def test_an_address_probe_of_rfc_5227_owns_nothing(net: Net) -> None:
    a, _ = holder_and_spare(net, 7)
    a.step(ev.ArpSeen("eth1", ev.ArpKind.REQUEST, FOREIGN, "0.0.0.0", VIP))
    assert a.vip().conflict == ""
