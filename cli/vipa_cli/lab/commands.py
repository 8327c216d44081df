"""What one can say at the lab's prompt. Pure: text in, commands out."""

from dataclasses import dataclass
from typing import Final

from vipa.resources.durations import DurationError, parse_duration_s
from vipa_cli.demo.situation import Step, Verb

HELP: Final = """\
status                  who answers, cables, agents
pull w1/eth1            the cable is out          plug w1/eth1      and in again
block w1/eth2           link up, nothing passes   unblock w1/eth2
power-off w1            no farewell               boot w1           without agent: start it
kill w1, stop w1        the agent: SIGKILL, or asked to hand over and stop
freeze w1, thaw w1      the agent stands still, and goes on
start w1                an agent again
ping, ping 5s           the client asks every 2 ms; what was lost
wait 2s                 do nothing
log w1                  the last words of its agent
exec w1 COMMAND …       run a program on a machine: w1, w2, c1 (the client), r1 (the router)
help, quit
Several commands on a line are separated by ';'."""


class CommandError(ValueError):
    """A command that cannot be understood; the message says what could."""


@dataclass(frozen=True, slots=True)
class Command:
    """``word`` is one of "status", "step", "ping", "wait", "log", "exec", "help", "quit"."""

    word: str
    step: Step | None = None
    seconds: float = 0.0
    target: str = ""
    argv: tuple[str, ...] = ()


def split(line: str) -> list[str]:
    """The commands of one line, without blank ones and comments. ``exec`` takes its line to the end."""
    line = line.partition("#")[0].strip()
    if line.startswith("exec "):
        return [line]
    first, semicolon, rest = line.partition(";")
    return ([first.strip()] if first.strip() else []) + (split(rest) if semicolon else [])


def parse(text: str) -> Command:
    """One command. CommandError when there is none such or its words are wrong."""
    word, *words = text.split()
    if word in set(Verb):
        if len(words) != 1:
            raise CommandError(f"{word} needs one machine or adapter, such as: {word} {_example(Verb(word))}")
        return Command("step", step=Step(Verb(word), words[0]))
    match word, words:
        case (("status" | "help" | "quit"), []):
            return Command(word)
        case "ping", []:
            return Command("ping", seconds=1.0)
        case (("ping" | "wait"), [duration]):
            return Command(word, seconds=_seconds(duration))
        case "log", [machine]:
            return Command("log", target=machine)
        case "exec", [machine, *argv] if argv:
            return Command("exec", target=machine, argv=tuple(argv))
        case (("status" | "help" | "quit" | "ping" | "wait" | "log" | "exec"), _):
            raise CommandError(f"{word} is said differently; see help")
    raise CommandError(f"there is no command {word!r}; see help")


def _seconds(text: str) -> float:
    try:
        return parse_duration_s(text)
    except DurationError as error:
        raise CommandError(f"{text!r}: {error}") from None


def _example(verb: Verb) -> str:
    return "w1/eth1" if verb in (Verb.PULL, Verb.PLUG, Verb.BLOCK, Verb.UNBLOCK) else "w1"
