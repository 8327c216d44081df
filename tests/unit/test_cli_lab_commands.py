"""What the lab's prompt understands."""

import pytest

from vipa_cli.demo.situation import Step, Verb
from vipa_cli.lab.commands import HELP, CommandError, parse, split


def test_a_line_holds_several_commands() -> None:
    assert split("pull w1/eth1; wait 1s;; status # look") == ["pull w1/eth1", "wait 1s", "status"]
    assert split("  # only words") == []
    assert split("exec w1 sh -c 'a; b'") == ["exec w1 sh -c 'a; b'"]


@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_is_a_command_and_in_the_help(verb: Verb) -> None:
    assert parse(f"{verb} w1/eth1").step == Step(verb, "w1/eth1")
    assert str(verb) in HELP


@pytest.mark.parametrize(("text", "seconds"), [("ping", 1.0), ("ping 5s", 5.0), ("wait 500ms", 0.5)])
def test_durations(text: str, seconds: float) -> None:
    assert parse(text).seconds == seconds


def test_exec_takes_all_words() -> None:
    command = parse("exec w1 ip addr")
    assert (command.target, command.argv) == ("w1", ("ip", "addr"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pull", "pull w1/eth1"),
        ("boot", "boot w1"),
        ("wait", "see help"),
        ("wait 5", "units"),
        ("exec w1", "see help"),
        ("explode w1", "no command 'explode'"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        parse(text)
