"""``vipa lab up``: the lab in the foreground, and its prompt."""

import shlex
import sys
import time
from collections.abc import Iterator
from typing import Final

from vipa.resources.durations import DurationError, parse_duration_s
from vipa_cli import exits
from vipa_cli.demo.acts import VIP
from vipa_cli.demo.measuring import Client, Wire
from vipa_cli.demo.situation import Step, Verb
from vipa_cli.lab.commands import HELP, Command, CommandError, parse, split
from vipa_cli.playground import Playground
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab

SCENARIOS: Final = ("ibm-i",)
_PROMPT: Final = "lab> "
# Agents start in about 0.5 s; a busy 2-core machine was seen to take 4 s.
_SERVED_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.02


def lab_command(scenario: str, failback: str) -> int:
    """Run until ``quit`` or the end of standard input. 0: fine; 1: a command failed, 2: one was not understood (a
    script ends there, a prompt goes on); 3: no lab can be made here; 130: Ctrl-C."""
    if scenario not in SCENARIOS:
        return _say(exits.USAGE, f"there is no scenario {scenario!r}; there is {', '.join(SCENARIOS)}")
    try:
        parse_duration_s(failback)
    except DurationError as error:
        return _say(exits.USAGE, f"--failback {failback}: {error}")
    try:
        with Lab() as lab:
            return _Shell(Playground(lab, failback)).run()
    except LabError as error:
        return _say(exits.CANNOT_TELL, str(error))
    except KeyboardInterrupt:
        return exits.INTERRUPTED


class _Shell:
    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._wire = Wire(playground)
        self._interactive = sys.stdin.isatty()

    def run(self) -> int:
        """All commands of standard input."""
        for node in self._playground.nodes:  # one after the other, or whichever starts faster would serve at first
            self._playground.do(Step(Verb.START, node.name))
            self._await_served(node.name)
        if self._interactive:
            print(f"{HELP}\n")
            self._status()
        for text in self._texts():
            code = self._one(text)
            if code is None:
                return exits.GOOD
            if code and not self._interactive:
                return code
        return exits.GOOD

    def _texts(self) -> Iterator[str]:
        while True:
            try:
                line = input(_PROMPT if self._interactive else "")
            except EOFError:
                return
            yield from split(line)

    def _one(self, text: str) -> int | None:
        """Carry out one command: its exit code, None for quit."""
        try:
            command = parse(text)
            if command.word == "quit":
                return None
            self._carry_out(command)
        except CommandError as error:
            return _say(exits.USAGE, str(error))
        except LabError as error:
            return _say(exits.NOT_GOOD, str(error))
        finally:
            sys.stdout.flush()
        return exits.GOOD

    def _carry_out(self, command: Command) -> None:
        match command.word:
            case "status":
                self._status()
            case "help":
                print(HELP)
            case "wait":
                time.sleep(command.seconds)
            case "ping":
                self._ping(command.seconds)
            case "log":
                agent = self._playground.agent(command.target)
                print(agent.last_words() if agent else f"no agent ran on {command.target} yet")
            case "exec":
                self._exec(command.target, command.argv)
            case _ if command.step is not None:
                self._playground.do(command.step)

    def _status(self) -> None:
        answerer = self._wire.answerer()
        for node in self._playground.look():
            for adapter in node.adapters:
                answers = f"  answers for {VIP}" if adapter.name == answerer else ""
                print(f"{adapter.name}  {adapter.address}  {adapter.state:8} agent {node.agent:8}{answers}")
        if not answerer:
            print(f"nobody answers for {VIP}")

    def _ping(self, seconds: float) -> None:
        client = Client(self._playground, session=False)
        deadline = time.monotonic() + _SERVED_TIMEOUT_S
        while client.live() is None and time.monotonic() < deadline:  # it is being started
            time.sleep(_POLL_S)
        time.sleep(seconds)
        result, _ = client.stop()
        nodes = " → ".join(segment.node for segment in result.segments) or "nobody"
        print(
            f"{result.sent} sent, {result.lost} lost, longest outage {result.longest_outage_ms:.0f} ms, "
            f"answered by {nodes}, round trip {result.rtt_median_ms:.2f} ms"
        )

    def _exec(self, machine: str, argv: tuple[str, ...]) -> None:
        hosts = self._playground.lab.hosts
        if machine not in hosts:
            raise LabError(f"there is no machine {machine!r}; there are {', '.join(hosts)}")
        words = shlex.split(" ".join(argv))
        try:
            print(hosts[machine].run(words, timeout_s=60.0), end="")
        except FileNotFoundError:
            raise LabError(f"there is no program {words[0]!r} on this machine") from None

    def _await_served(self, started: str) -> None:
        deadline = time.monotonic() + _SERVED_TIMEOUT_S
        while not (self._wire.answerer() and self._playground.informed(started)):
            self._playground.check_agents()
            if time.monotonic() > deadline:
                answers = self._wire.answerer() or "nobody"
                raise LabError(
                    f"{_SERVED_TIMEOUT_S:g} s after the agent of {started} was started {answers} answers for {VIP}, "
                    f"and it {'can' if self._playground.informed(started) else 'cannot'} be asked about it"
                )
            time.sleep(_POLL_S)


def _say(code: int, message: str) -> int:
    sys.stderr.write(f"vipa lab: {message}\n")
    return code
