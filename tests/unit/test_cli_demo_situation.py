"""From one situation of the demo to the next."""

import pytest

from vipa_cli.demo.acts import ACTS, BEFORE, FIRST, HOME, SECOND, THIRD
from vipa_cli.demo.situation import Situation, Step, Verb, steps


@pytest.mark.parametrize("situation", [act.situation for act in ACTS])
def test_nothing_is_to_be_done_where_one_is(situation: Situation) -> None:
    assert steps(situation, situation) == []


def test_both_agents_start_first() -> None:
    assert [str(step) for step in steps(BEFORE, HOME)] == ["start w1", "start w2"]


def test_what_was_broken_is_mended_before_something_else_breaks() -> None:
    before = Situation(serves=THIRD, pulled=frozenset({FIRST}), blocked=frozenset({SECOND}))
    after = Situation(serves=FIRST, pulled=frozenset({SECOND}))
    assert steps(before, after) == [
        Step(Verb.PLUG, FIRST),
        Step(Verb.UNBLOCK, SECOND),
        Step(Verb.PULL, SECOND),
    ]


def test_a_machine_without_power_boots_and_gets_an_agent() -> None:
    off = Situation(serves=THIRD, off=frozenset({"w1"}))
    assert [str(step) for step in steps(HOME, off)] == ["power-off w1"]
    assert [str(step) for step in steps(off, HOME)] == ["boot w1", "start w1"]


def test_a_killed_agent_is_not_killed_again() -> None:
    killed = Situation(serves=THIRD, killed=frozenset({"w1"}))
    also_pulled = Situation(serves=THIRD, killed=frozenset({"w1"}), pulled=frozenset({FIRST}))
    assert [str(step) for step in steps(killed, also_pulled)] == [f"pull {FIRST}"]


def test_every_act_but_the_quiet_one_does_something() -> None:
    before = BEFORE
    for act in ACTS:
        assert bool(steps(before, act.situation)) is (act.key != "quiet"), act.key
        before = act.then or act.situation
