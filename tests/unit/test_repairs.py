"""When what others remove is put back: at once, less and less often, and at once again after a quiet time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipa.reasons import Reason
from vipa_agent.repairs import FIRST_S, LONGEST_S, SPOILED_S, Repairs

WHAT = "address 10.1.1.7"


def removed_every(period_s: float, for_s: float) -> list[float]:
    """Times at which it is put back, when somebody removes it so often; looked at as often."""
    repairs, times = Repairs(), []
    for number in range(round(for_s / period_s)):
        now = 1000.0 + number * period_s
        if repairs.due(WHAT, now):
            repairs.put_back(WHAT, now)
            times.append(now - 1000.0)
    return times


def test_the_first_time_at_once_and_then_less_and_less_often() -> None:
    times = removed_every(0.02, 400.0)
    gaps = [round(after - before, 1) for before, after in pairwise(times)]
    assert times[0] == 0.0
    assert gaps[:6] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2], abs=0.06)
    assert gaps[-3:] == pytest.approx([LONGEST_S] * 3, abs=0.06)


def test_what_stands_for_a_while_is_put_back_at_once_each_time() -> None:
    assert len(removed_every(FIRST_S * 1.5, 30.0)) == 200


def test_it_is_said_what_waits_and_how_long() -> None:
    repairs = Repairs()
    assert repairs.due(WHAT, 100.0)
    assert repairs.put_back(WHAT, 100.0).reason is Reason.PUT_BACK
    assert not repairs.due(WHAT, 100.05)
    assert repairs.due("rule 7118", 100.05), "another thing has its own count"
    assert [each.what for each in repairs.waiting()] == [WHAT]
    (told,) = repairs.told(100.1)["repairs"]
    assert (told["what"], told["reason"], told["times"], told["waiting"]) == (WHAT, "RemovedAgain", 1, True)
    assert repairs.due(WHAT, 100.0 + FIRST_S)
    assert repairs.put_back(WHAT, 100.1).reason is Reason.REMOVED_AGAIN
    assert repairs.waiting() == ()


def test_it_is_forgiven_after_a_quiet_time() -> None:
    repairs = Repairs()
    for now in (0.0, 0.05, 0.11, 0.15, 0.32, 0.35, 0.75):
        if repairs.due(WHAT, now):
            repairs.put_back(WHAT, now)
    assert [each.times for each in repairs.known()] == [4]
    repairs.forget(0.75 + 0.8 + LONGEST_S)
    assert repairs.known() == ()
    assert repairs.due(WHAT, 80.0)
    assert repairs.put_back(WHAT, 80.0).reason is Reason.PUT_BACK


@given(st.lists(st.floats(0.01, 30.0), min_size=1, max_size=200))
def test_however_it_is_removed_putting_back_is_bounded_and_never_given_up(gaps: list[float]) -> None:
    repairs, now, times = Repairs(), 0.0, []
    for gap in gaps:
        now += gap
        if repairs.due(WHAT, now):
            repairs.put_back(WHAT, now)
            times.append(now)
    assert all(after - before > FIRST_S - 1e-9 for before, after in pairwise(times))
    assert repairs.due(WHAT, now + LONGEST_S)


def test_what_is_let_go_while_it_waits_may_come_when_it_is_wanted_again() -> None:
    repairs = Repairs()
    now = 0.0
    while not any(each.spoils for each in repairs.waiting()):
        if repairs.due(WHAT, now):
            repairs.put_back(WHAT, now)
        now += 0.01
    (waits,) = repairs.waiting()
    before_s = waits.wait_s
    assert before_s >= SPOILED_S
    repairs.let_go(WHAT, now)
    assert repairs.waiting(), "not before its time"
    repairs.let_go(WHAT, waits.due_at)
    assert repairs.waiting() == ()
    assert not repairs.due(WHAT, waits.at + before_s), "and removed again it waits longer"


def test_what_is_refused_waits_too_and_spoils_nothing() -> None:
    repairs = Repairs()
    now, waits = 0.0, []
    for _ in range(12):
        waits.append(repairs.refuse(WHAT, now).wait_s)
        assert not repairs.due(WHAT, now + waits[-1] / 2)
        (waiting,) = repairs.waiting()
        assert (waiting.reason, waiting.spoils) == (Reason.KERNEL_REFUSED, False)
        now = waiting.due_at
        assert repairs.due(WHAT, now)
    assert waits[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert waits[-1] == LONGEST_S
    done = repairs.put_back(WHAT, now)
    assert (done.reason, done.wait_s, repairs.waiting()) == (Reason.PUT_BACK, FIRST_S, ())
