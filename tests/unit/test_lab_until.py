"""Waiting for what shall become true: the answer is handed on, and what never comes is named."""

import pytest

from vipa_lab.errors import LabError
from vipa_lab.until import until


def test_the_first_true_answer_is_given() -> None:
    answers = iter(["", "", "yes", "no"])
    assert until(lambda: next(answers), every_s=0) == "yes"
    assert next(answers) == "no"


def test_what_does_not_come_is_named() -> None:
    with pytest.raises(AssertionError, match=r"^not within 0 s: w2 answers$"):
        until(lambda: False, "w2 answers", timeout_s=0)
    with pytest.raises(LabError, match=r"^not within 0 s$"):
        until(lambda: None, timeout_s=0, error=LabError)


def test_the_message_tells_what_was_seen_last() -> None:
    seen: list[int] = []
    with pytest.raises(AssertionError, match=r"only 1$"):
        until(lambda: seen.append(1), lambda: f"only {len(seen)}", timeout_s=0)


class StallingClock:
    """Every pause takes a minute."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, _seconds: float) -> None:
        self.now_s += 60.0


def test_who_stood_still_past_the_deadline_looks_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vipa_lab.until.time", StallingClock())
    answers = iter([False, True])
    assert until(lambda: next(answers), timeout_s=10.0)
    looks = iter([False, False, True])
    with pytest.raises(AssertionError):
        until(lambda: next(looks), timeout_s=10.0)
