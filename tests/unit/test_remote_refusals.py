"""What the kernel refuses holds up nothing else, is said once, and comes back by itself."""

from vipa.remote.groups import Table
from vipa.remote.hearing import End, Hop, Way
from vipa.remote.refusals import PAUSE_MAX_S, PAUSE_S, Refusals

A, B = Hop("10.1.1.4", "eth1"), Hop("10.1.1.5", "eth2")
SIX = Hop("fd00::4", "eth1")
WAYS: dict[str, Way | None] = {"10.1.1.7": (A, B), "10.1.1.8": (A,), "fd00::7": (SIX,), "10.1.1.9": End.REFUSED}


def test_a_hop_that_is_refused_is_left_out_and_everything_else_is_served() -> None:
    refusals = Refusals()
    refusals.add(0.0, {B: "b", SIX: "six"})
    assert refusals.without(0.1, WAYS) == {"10.1.1.7": (A,), "10.1.1.8": (A,), "10.1.1.9": End.REFUSED}


def test_a_route_that_is_refused_stays_as_it_is() -> None:
    refusals = Refusals()
    refusals.add(0.0, {"10.1.1.8": "why"})
    assert refusals.without(0.1, WAYS) == WAYS | {"10.1.1.8": None}


def test_it_is_tried_again_less_and_less_often_until_it_is_taken() -> None:
    refusals = Refusals()
    now, pauses = 0.0, []
    for _ in range(9):
        refusals.add(now, {B: "b"})
        assert B not in (refusals.without(now, WAYS)["10.1.1.7"] or ())
        pauses.append(refusals.next_at(now) - now)
        now = refusals.next_at(now)
        assert refusals.without(now, WAYS) == WAYS
    assert pauses[:3] == [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S]
    assert pauses[-1] == PAUSE_MAX_S
    assert refusals.next_at(now) == float("inf"), "what is due does not wake anybody again and again"
    refusals.done(Table({A: 1}), WAYS)
    assert refusals.told() == "b"
    refusals.done(Table({A: 1, B: 2}), WAYS)
    assert refusals.told() == ""


def test_a_change_of_interfaces_is_a_reason_to_try_at_once() -> None:
    refusals = Refusals()
    refusals.add(0.0, {B: "b", "10.1.1.8": "c"})
    refusals.again()
    assert refusals.without(0.0, WAYS) == WAYS


def test_it_is_said_once_for_each_reason_and_for_few_of_many() -> None:
    refusals = Refusals()
    assert refusals.add(0.0, {B: "b"}) == "b"
    assert refusals.add(1.0, {B: "b", "10.1.1.8": "c"}) == "c"
    assert refusals.add(2.0, {B: "bb"}) == "bb"
    assert refusals.add(3.0, {f"10.2.0.{n}": f"{n}" for n in range(5)}) == "0; 1; 2; and 2 more"


def test_what_nobody_wants_any_more_is_forgotten() -> None:
    refusals = Refusals()
    refusals.add(0.0, {B: "b", "10.1.1.8": "c"})
    refusals.without(0.0, {"10.1.1.9": End.REFUSED})
    assert refusals.told() == ""
