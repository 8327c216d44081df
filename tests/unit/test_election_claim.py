"""Rule 5: suspect fast, claim safely."""

import pytest

from unit.fakes.machine import COMMIT_S
from unit.fakes.names import VIP, ip, mac_of
from unit.fakes.net import WIRE_S, Net
from unit.fakes.scenes import probes, spare_of, two_spares_of
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.heartbeat import WireRole
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing, claim_delay_s, node_death_s

PROFILE = PROFILES[Timing.DEFAULT]


@pytest.mark.parametrize("timing", Timing)
def test_a_dead_holder_is_followed_within_the_published_time(net: Net, timing: Timing) -> None:
    b, p = spare_of(net, timing)
    profile = PROFILES[timing]
    p.speaks = False
    died = net.now
    took = net.until(lambda: net.answerers() == ["b"], 5)
    assert profile.silence_s - profile.interval_s + claim_delay_s(profile, 1) <= took + 1e-6
    assert took <= node_death_s(profile) + 2 * COMMIT_S + WIRE_S + 1e-6
    first, *more = probes(net, "b", died)
    heard = b.vip().holder_seen_at if b.vip().holder_seen_at > 0 else first - profile.silence_s
    assert first - heard == pytest.approx(profile.silence_s, abs=1e-3)
    assert [round(t - first, 6) for t in more] == [round(profile.gap_s * n, 6) for n in range(1, profile.probes)]


@pytest.mark.parametrize("healthy_ahead", [0, 1, 2])
def test_spare_number_r_needs_r_times_the_probes(net: Net, healthy_ahead: int) -> None:
    net.machine("b", 9)
    p, spares = net.puppet("p", 4), [net.puppet("q", 5), net.puppet("r", 6)]
    for n, spare in enumerate(spares):
        spare.healthy = n < healthy_ahead
    net.start(net.vip(4, 5, 6, 9))
    p.speak(WireRole.HOLDER)
    for spare in spares:
        spare.speak(WireRole.SPARE)
    net.run(2)
    p.speaks = False
    net.run(1)
    (begin,) = net.did("b", act.BeginClaim)
    first = probes(net, "b")[0]
    assert begin.at - first == pytest.approx(claim_delay_s(PROFILE, 1 + healthy_ahead), abs=1e-6)


def test_the_claim_goes_step_by_step(net: Net) -> None:
    _, p = spare_of(net)
    p.speaks = False
    net.run(1)
    steps = [e.action for e in net.did("b", act.Transition, act.Bind, act.BeginClaim, act.Permit, act.Announce)]
    names = [s.new if isinstance(s, act.Transition) else type(s).__name__ for s in steps]
    at = names.index(State.SUSPECTING)
    assert names[at : at + 7] == [
        State.SUSPECTING,
        State.CLAIMING,
        "Bind",
        "BeginClaim",
        "Permit",
        State.HOLDER,
        "Announce",
    ]


def test_probes_go_to_everybody_and_to_the_last_holder(net: Net) -> None:
    _, p = spare_of(net)
    p.speaks = False
    net.until(lambda: bool(probes(net, "b")), 1)
    asked = [e.action for e in net.did("b", act.Probe) if isinstance(e.action, act.Probe) and e.action.address == VIP]
    assert {(a.sender_address, a.mac) for a in asked} == {(ip(5), ""), (ip(5), mac_of(ip(4)))}


def test_an_answered_probe_waits_for_the_permits_advertised_end(net: Net) -> None:
    _, p = spare_of(net)
    p.permit_left_s = 0.4
    net.run(0.1)
    p.speaks = False  # frozen: its kernel answers on until the permit ends
    frozen, ends = net.now, net.now + p.permit_left_s
    net.stations[VIP] = mac_of(p.address)

    def lapse() -> None:
        del net.stations[VIP]

    net.at(ends, lapse)
    net.run(1)
    first, second, *_ = probes(net, "b", frozen)
    assert first < frozen + PROFILE.silence_s + 0.001
    # said at most one interval before it froze
    assert ends - PROFILE.interval_s - 0.001 <= second <= ends + 0.001
    (begin,) = net.did("b", act.BeginClaim)
    unanswered = [t for t in probes(net, "b", ends - WIRE_S) if t < begin.at]
    assert len(unanswered) == PROFILE.probes
    assert begin.at <= ends + (PROFILE.probes + 1) * PROFILE.gap_s + 0.001


def test_the_count_starts_again_at_each_answer(net: Net) -> None:
    _, p = spare_of(net)
    p.speaks = False
    net.stations[VIP] = mac_of(p.address)
    net.run(2)
    assert not net.did("b", act.BeginClaim, act.Bind)
    assert net.machines["b"].vip().reason is Reason.HOLDER_ANSWERS
    answered_until = net.now
    del net.stations[VIP]
    net.run(2)
    (begin,) = net.did("b", act.BeginClaim)
    unanswered = [t for t in probes(net, "b", answered_until - WIRE_S) if t < begin.at]
    assert len(unanswered) == PROFILE.probes
    assert begin.at - unanswered[0] == pytest.approx(claim_delay_s(PROFILE, 1), abs=1e-6)


def test_every_second_probe_answered_is_never_enough(net: Net) -> None:
    _, p = spare_of(net)
    p.speaks = False
    net.stations[VIP] = mac_of(p.address)
    lost = [0]

    def passes(source: str, target: str, event: ev.Event) -> bool:
        lost[0] += source == VIP
        return source != VIP or (lost[0] - 1) % 4 < 2  # each probe is asked twice: broadcast and unicast

    net.passes = passes
    net.run(3)
    assert lost[0] > 20
    assert not net.did("b", act.BeginClaim)


@pytest.mark.parametrize(("other", "claims"), [(5, False), (9, True)])
def test_claiming_of_a_better_rank_resets_the_count(net: Net, other: int, claims: bool) -> None:
    _, p, q = two_spares_of(net, 6, other)
    q.interval_s = PROFILE.gap_s
    p.speaks = False
    q.speak(WireRole.CLAIMING)
    net.run(0.5)
    assert bool(net.did("b", act.BeginClaim)) is claims
    q.speaks = False
    net.run(0.5)
    assert net.answerers() == ["b"]


def test_any_rank_that_is_permitting_is_waited_out(net: Net) -> None:
    b, p, q = two_spares_of(net, 5, 6)
    p.speaks = False
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    q.role = WireRole.PERMITTING
    q.say()
    q.speaks = False
    said = net.now
    net.until(lambda: bool(net.did("b", act.BeginClaim)), 1)
    element_s = PROFILE.probes * PROFILE.gap_s
    assert net.now - said >= element_s + claim_delay_s(PROFILE, 1)


def test_claiming_is_said_from_the_first_unanswered_probe_on(net: Net) -> None:
    _, p, q = two_spares_of(net, 5, 6)
    p.speaks = False
    net.run(0.5)
    roles = q.roles_heard("b")
    assert roles[-1] is WireRole.HOLDER
    assert roles[roles.index(WireRole.CLAIMING) - 1] is WireRole.SPARE


def test_a_claim_that_froze_before_the_permit_comes_to_nothing(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.until(lambda: b.is_(State.CLAIMING), 1)
    b.frozen = True
    net.run(1)
    b.thaw()
    assert not net.did("b", act.Permit)
    assert not b.bound


def test_an_expired_claim_element_refuses_the_permit(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.until(lambda: bool(net.did("b", act.Permit)), 1)
    b.claims.clear()
    net.run(2 * COMMIT_S)
    assert b.is_(State.LISTENING)
    assert b.vip().reason is Reason.CLAIM_EXPIRED
    assert not b.bound
    assert net.notices("b", Reason.CLAIM_EXPIRED)
    net.until(lambda: net.answerers() == ["b"], 1)


def test_a_holder_heard_between_claim_and_permit_stops_the_claim(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.until(lambda: b.is_(State.CLAIMING), 1)
    p.say()
    net.until(lambda: not b.is_(State.CLAIMING), 1)
    assert b.is_(State.SPARE)
    assert not net.did("b", act.Permit)
    assert not b.bound


def test_a_kernel_that_refuses_the_claim_element_is_named(net: Net) -> None:
    b, p = spare_of(net)
    p.speaks = False
    net.until(lambda: b.is_(State.CLAIMING), 1)
    done = b.step(ev.ClaimReady("v", False))
    assert act.Transition("v", State.CLAIMING, State.SPARE, "", Reason.KERNEL_REFUSED, 0) in done
    assert act.Unbind("v", (VIP,)) in done
    assert not any(isinstance(action, act.Permit) for action in done)
