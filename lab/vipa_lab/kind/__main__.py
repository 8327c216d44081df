"""``python -m vipa_lab.kind up|down|run COMMAND...``: what ``make kind-up``, ``kind-down`` and ``kind-test`` run.

``run`` leaves things as it finds them: with no cluster up it makes one for the command and ends it afterwards.
"""

import signal
import subprocess
import sys
import time
from types import FrameType

from vipa_lab.errors import LabError
from vipa_lab.kind.down import down, held
from vipa_lab.kind.steps import say
from vipa_lab.kind.up import up


class TerminatedError(KeyboardInterrupt):
    """Somebody sent SIGTERM, to this process alone."""


def main() -> None:
    """Entry point."""
    words = sys.argv[1:]
    if words not in (["up"], ["down"]) and (words[:1] != ["run"] or len(words) < 2):
        sys.exit("usage: python -m vipa_lab.kind up|down|run COMMAND...")
    signal.signal(signal.SIGTERM, _interrupt)
    start_s = time.monotonic()
    try:
        if words == ["up"]:
            up()
        elif words == ["down"]:
            end()
        else:
            sys.exit(run(words[1:]))
    except LabError as error:
        sys.exit(f"kind: {error}")
    except KeyboardInterrupt:
        sys.exit("kind: broken off")
    say(f"== kind {words[0]} {time.monotonic() - start_s:.0f} s")


def run(command: list[str]) -> int:
    """The command's exit code, with a cluster up."""
    is_ours = up()
    try:
        child = subprocess.Popen(command)
        try:
            return child.wait()
        except TerminatedError:
            child.send_signal(signal.SIGINT)
            child.wait()
            raise
        except KeyboardInterrupt:
            child.wait()  # the terminal's Ctrl-C has reached it too
            raise
    finally:
        if is_ours:
            end()


def end() -> None:
    """Take down what is up."""
    with held():
        if not down():
            say("kind: nothing is up")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise TerminatedError


if __name__ == "__main__":
    main()
