"""Progress of the work, a line for each step with its seconds, and programs whose output goes to a log."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind.places import cache_folder

_SHOWN_LINES: Final = 15


@contextmanager
def step(what: str) -> Iterator[None]:
    """One line: what is being done, and then the seconds it took."""
    start_s = time.monotonic()
    say(f"-- kind: {what} ...", end="")
    try:
        yield
    except BaseException:
        say(" failed")
        raise
    say(f" {time.monotonic() - start_s:.0f} s")


def say(text: str, end: str = "\n") -> None:
    """A line for the person who waits."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def log_file(name: str) -> Path:
    """Where the step ``name`` writes; kept after kind-down, until the next time."""
    folder = cache_folder() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def logged(
    name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None, folder: Path | None = None
) -> None:
    """Run a program with its output in the log ``name``; LabError with the log's end when it fails."""
    log = log_file(name)
    words = [str(word) for word in argv]
    with log.open("wb") as output:
        child = subprocess.Popen(
            words, cwd=folder, env=env or os.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            code = child.wait()
        except BaseException:
            # The terminal's Ctrl-C has reached it too, a signal to this process alone has not.
            child.terminate()
            child.wait()
            raise
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
        raise LabError(f"'{' '.join(words[:3])}' ended with {code}; all it said is in {log}, the end of it:\n{tail}")
