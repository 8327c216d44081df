"""Many virtual IPs on a node: one step costs what changed, and news of all of them gets out in time."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from unit.fakes import machine as fake_machine
from unit.fakes.names import KEY, ip
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.announcing import BURST, OFFSETS_S, PUT_OFF_S, VIPS_PER_S
from vipa.election.claim import claim_element_s
from vipa.election.crowd import PROBING_MAX, claims_max
from vipa.election.sending import ROLES_MAX
from vipa.election.states import State
from vipa.election.stopping import STOP_S_MAX
from vipa.heartbeat import WireRole, decode
from vipa.plan import Plan, PlannedVip
from vipa.reasons import Reason
from vipa.timing import PROFILES, Timing

PROFILE = PROFILES[Timing.DEFAULT]


@pytest.fixture(autouse=True)
def _many_events_at_one_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_machine, "SPIN_STEPS", 100_000)


def vips(net: Net, count: int, *lasts: int) -> list[PlannedVip]:
    return [net.vip(*lasts, name=f"v{i}", address=f"10.1.2.{i + 1}") for i in range(count)]


def singly(action: act.Action) -> tuple[act.Action, ...]:
    return action.actions if isinstance(action, act.Together) else (action,)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Calls of functions of the election, deterministic where seconds are not."""
    calls = [0]

    def note(frame: FrameType, event: str, argument: object) -> None:
        calls[0] += event == "call" and "/vipa/election/" in frame.f_code.co_filename

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def calls_in_a_steady_second(count: int) -> int:
    net = Net()
    net.machine("a", 4, 5)
    net.machine("b", 6, 8)
    net.start(*vips(net, count, 4, 5, 6, 8))
    net.run(7)  # past the announcements of rule 11
    assert len(net.machines["a"].elected) == count
    with counting() as calls:
        net.run(1)
    return calls[0]


def test_a_quiet_second_costs_the_same_for_many_as_for_one() -> None:
    assert calls_in_a_steady_second(100) < 1.5 * calls_in_a_steady_second(1)


def test_all_leave_a_failed_interface_in_one_transaction(net: Net) -> None:
    a, _ = net.machine("a", 4, 5), net.machine("b", 6)
    net.start(*vips(net, 20, 4, 5, 6))
    net.run(3)
    assert set(a.elected.values()) == {"eth1"}
    a.interface("eth1", carrier=False)
    net.run(0.05)
    together = [e.action for e in net.did("a", act.Together) if isinstance(e.action, act.Together)]
    assert [len(t.actions) for t in together if isinstance(t.actions[0], act.Move)] == [20]
    assert not net.did("a", act.Move)
    assert set(a.elected.values()) == {"eth2"}
    net.run(1)
    assert all(vip.state is State.HOLDER for vip in a.elector.node.vips.values())


def calls_after_the_holder_died(count: int) -> int:
    net = Net()
    a, _, _ = net.machine("a", 4), net.machine("b", 5), net.machine("c", 6)
    net.start(*vips(net, count, 4, 5, 6))
    net.run(3)
    a.on = False
    net.run(7)
    with counting() as calls:
        net.run(1)
    return calls[0]


def test_a_dead_holder_of_many_keeps_nobody_busy() -> None:
    assert calls_after_the_holder_died(100) < 1.5 * calls_after_the_holder_died(1)


def test_what_left_the_plan_makes_nobody_suspect(net: Net) -> None:
    net.machine("a", 4)
    b = net.machine("b", 5)
    many = vips(net, 120, 4, 5)
    net.start(*many)
    net.run(3)
    for machine in net.machines.values():
        machine.plan = Plan(1, tuple(many[1:]))
        machine.step(ev.PlanChanged(machine.plan))
    begin = len(net.log)
    net.run(2)
    synced_at = b.elector.node.peers["a"].synced_at
    assert net.now - max(synced_at.values()) <= 2 * PROFILE.interval_s
    told = [e.action for e in net.log[begin:] if e.node == "b" and isinstance(e.action, act.Transition)]
    assert not [t for t in told if t.new is State.SUSPECTING]


def takeover_of_a_crowd(net: Net) -> tuple[int, int]:
    """Where ``a`` dies that held three times what may be probed at once: begin and end of what ``b``, the first spare,
    did until it held all, as indexes of the log."""
    count = 3 * PROBING_MAX
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.machine("c", 6)
    net.start(*(net.vip(4, 5, 6, name=f"v{i}", address=f"10.1.{2 + i // 200}.{1 + i % 200}") for i in range(count)))
    net.run(8)  # past the announcements of rule 11
    begin = len(net.log)
    a.on = False
    net.until(lambda: len(b.elected) == count, 2.0)
    return begin, len(net.log)


def test_while_a_crowd_waits_news_goes_to_those_who_are_heard(net: Net) -> None:
    begin, end = takeover_of_a_crowd(net)
    told = Counter(
        e.action.target_address for e in net.log[begin:end] if e.node == "b" and isinstance(e.action, act.SendBeat)
    )
    assert told[ip(4)] < 0.9 * told[ip(6)]


def test_while_a_crowd_waits_announcements_are_repeated_later(net: Net) -> None:
    begin, _ = takeover_of_a_crowd(net)
    net.run(1)
    announced: dict[str, list[float]] = {}
    for entry in net.log[begin:]:
        if isinstance(entry.action, act.Announce):
            announced.setdefault(entry.action.vip, []).append(entry.at)
    first, last = (announced[name] for name in ("v0", f"v{3 * PROBING_MAX - 1}"))
    assert first[1] - first[0] >= OFFSETS_S[1] + PUT_OFF_S * PROBING_MAX
    assert last[1] - last[0] < OFFSETS_S[1] + PUT_OFF_S * PROBING_MAX


def test_news_of_all_gets_out_at_once(net: Net) -> None:
    count = PROBING_MAX
    assert count > ROLES_MAX
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.machine("c", 6)
    net.start(*vips(net, count, 4, 5, 6))
    net.run(3)
    assert len(a.elected) == count
    begin = len(net.log)
    a.on = False
    net.until(lambda: b.is_(State.CLAIMING, "v0"), PROFILE.permit_s)
    told: dict[float, set[int]] = {}
    for entry in net.log[begin:]:
        if entry.node == "b" and isinstance(entry.action, act.SendBeat):
            beat = decode(entry.action.payload, (KEY,), b.elector.node.config.cluster_ids)
            told.setdefault(entry.at, set()).update(r.vip for r in beat.roles if r.role is WireRole.CLAIMING)
    assert len(next(vips for vips in told.values() if vips)) == count


def test_a_second_spare_claims_nothing_of_what_the_first_takes_over(net: Net) -> None:
    count = 50
    a, b, c = net.machine("a", 4), net.machine("b", 5), net.machine("c", 6)
    net.start(*vips(net, count, 4, 5, 6))
    net.run(3)
    begin = len(net.log)
    a.on = False
    net.run(PROFILE.permit_s)
    assert len(b.elected) == count
    assert not net.doubles
    did = [a for e in net.log[begin:] if e.node == "c" for a in singly(e.action)]
    assert not [a for a in did if isinstance(a, act.BeginClaim)]
    assert all(c.vip(f"v{i}").state is State.SPARE for i in range(count))


def test_they_take_turns_to_be_probed_and_to_be_claimed(net: Net) -> None:
    count = 3 * PROBING_MAX
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(*vips(net, count, 4, 5))
    net.run(3)
    assert len(a.elected) == count
    begin = len(net.log)
    a.on = False
    net.until(lambda: len(b.elected) == count, 2 * PROFILE.permit_s)
    probes: Counter[float] = Counter()
    claims: Counter[float] = Counter()
    for entry in net.log[begin:]:
        if isinstance(entry.action, act.Probe) and not entry.action.mac and entry.action.address.startswith("10.1.2."):
            probes[entry.at] += 1
        claims[entry.at] += sum(isinstance(a, act.BeginClaim) for a in singly(entry.action))
    assert max(probes.values()) == PROBING_MAX
    assert max(claims.values()) == claims_max(claim_element_s(b.vip("v0")))


def test_a_holder_that_still_answers_keeps_no_other_waiting(net: Net) -> None:
    a, b, c = net.machine("a", 4), net.machine("b", 5), net.machine("c", 6)
    first = vips(net, PROBING_MAX, 4, 5)
    second = [net.vip(6, 5, name=f"w{i}", address=f"10.1.3.{i + 1}") for i in range(5)]
    net.start(*first, *second)
    net.run(3)
    assert (len(a.elected), len(c.elected)) == (PROBING_MAX, 5)
    a.frozen = True  # its kernel answers until the permit ends
    net.run(PROFILE.permit_s / 4)
    c.on = False
    net.until(lambda: len(b.elected) >= 5, PROFILE.permit_s / 2)
    assert {v.addresses[0] for v in second} <= b.elected.keys()


def test_no_step_looks_at_all_and_all_are_served_soon(net: Net) -> None:
    count = 300
    a, b, c = net.machine("a", 4), net.machine("b", 5), net.machine("c", 6)
    net.start(*vips(net, count, 4, 5, 6))
    net.run(3)
    assert len(a.elected) == count
    begin = len(net.log)
    a.on = False
    net.until(lambda: len(b.elected) == count, PROFILE.permit_s)
    looked: Counter[tuple[float, str]] = Counter()
    for entry in net.log[begin:]:
        if isinstance(entry.action, act.Transition) and entry.action.new is State.SUSPECTING:
            looked[entry.at, entry.node] += 1
    assert max(looked.values()) <= PROBING_MAX
    assert not c.elected
    assert not net.doubles
    said = [e for e in net.log[begin:] if e.node == "c" and isinstance(e.action, act.Transition)]
    assert len(said) <= 3 * PROBING_MAX, "who waits for its turn does nothing"


def test_a_node_that_stops_hands_over_all_in_time(net: Net) -> None:
    count = 300
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(*vips(net, count, 4, 5))
    net.run(3)
    a.step(ev.StopAsked())
    net.until(lambda: a.stopped, STOP_S_MAX + 0.1)
    assert len(b.elected) == count
    assert all(b.vip(f"v{i}").reason is Reason.HANDED_OVER for i in range(count))


def test_announcements_of_many_keep_a_pace(net: Net) -> None:
    count = 300
    a, _ = net.machine("a", 4, 5), net.machine("b", 6)
    net.start(*vips(net, count, 4, 5, 6))
    net.run(8)
    begin = len(net.log)
    a.interface("eth1", carrier=False)
    net.run(0.09)
    times = [e.at for e in net.log[begin:] if isinstance(e.action, act.Announce)]
    assert len(times) == count
    for start in range(count - 2 * BURST):
        assert times[start + 2 * BURST] - times[start] >= BURST / VIPS_PER_S * 0.9
