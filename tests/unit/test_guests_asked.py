"""When a guest is asked, whom the question goes to, and after how many it is silent."""

from vipa_agent.guests import ASK_S, FALL, QUICK_S, Guest

MAC = "02:00:00:00:00:07"


def ask(guest: Guest, now: float) -> str:
    """One question, due at ``now``: whom it goes to."""
    assert guest.due(now)
    assert not guest.due(now)
    guest.asked = True
    return guest.to


def test_a_guest_nobody_hears_is_silent_after_the_quick_questions() -> None:
    guest = Guest("br0")
    for turn in range(FALL):
        assert guest.here is None
        assert ask(guest, turn * QUICK_S) == ""
    assert not guest.due((FALL - 0.5) * QUICK_S)
    assert ask(guest, FALL * QUICK_S) == ""
    assert guest.here is False
    assert guest.ask_at == FALL * QUICK_S + ASK_S


def test_one_answer_is_enough_and_the_last_question_goes_to_everybody() -> None:
    guest = Guest("br0", here=False, missed=FALL)
    assert guest.answered(MAC)
    assert not guest.answered(MAC)
    assert [ask(guest, 10 + turn * ASK_S) for turn in range(FALL)] == [MAC] * (FALL - 1) + [""]
    assert guest.here
    ask(guest, 10 + FALL * ASK_S)
    assert guest.here is False


def test_what_is_answered_each_time_is_never_missed() -> None:
    guest = Guest("br0")
    for turn in range(10 * FALL):
        ask(guest, turn * ASK_S)
        guest.answered(MAC)
    assert (guest.here, guest.missed) == (True, 0)


def test_without_the_bridge_nothing_is_known_and_nothing_missed() -> None:
    guest = Guest("br0", here=True, mac=MAC, asked=True, missed=FALL - 1)
    guest.forget()
    assert guest.due(0.0)
    assert (guest.here, guest.missed, guest.to) == (None, 0, "")


def test_many_guests_are_asked_less_often() -> None:
    guest = Guest("br0", here=True)
    assert guest.due(0.0, stretch=3.0)
    assert guest.ask_at == 3 * ASK_S
