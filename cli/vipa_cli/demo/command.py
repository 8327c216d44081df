"""``vipa demo``: set up, play, print, exit code."""

import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from vipa_cli import exits
from vipa_cli.demo import table
from vipa_cli.demo.acts import VIP
from vipa_cli.demo.director import Director, Story, View
from vipa_cli.demo.figures import DEFAULT, FIGURES, Figure
from vipa_cli.demo.interrupt import Interrupt
from vipa_cli.demo.judge import Row, Verdict
from vipa_cli.demo.plain import Lines, Silent
from vipa_cli.demo.screen import Screen
from vipa_cli.demo.timeline import draw
from vipa_cli.playground import Playground
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab


def demo_command(
    *,
    figure: int = DEFAULT,
    as_json: bool = False,
    plain: bool = False,
    timeline: Path | None = None,
    logs: Path | None = None,
) -> int:
    """Play the story; ``logs`` is a folder to keep all programs' output in.

    0: all promises kept; 1: one broken; 2: usage; 3: it cannot run or judge here; 130: Ctrl-C.
    """
    if figure not in FIGURES:
        numbers = [str(number) for number in FIGURES]
        return _say(exits.USAGE, f"there is no figure {figure}; use {', '.join(numbers[:-1])} or {numbers[-1]}")
    played = FIGURES[figure]
    if timeline is not None and not timeline.parent.is_dir():
        return _say(exits.USAGE, f"--timeline: there is no folder {timeline.parent}")
    console = Console()
    live = console.is_terminal and not plain and not as_json
    view: View = Silent() if as_json else Screen(console, played) if live else Lines(sys.stdout, played)
    director, code = None, exits.GOOD
    began_s = time.monotonic()
    try:
        # The lab before any thread of the screen: becoming root in a user namespace needs one thread.
        with Interrupt() as interrupt, Lab(logs) as lab:
            playground = Playground(lab, stage=played.stage, binding=played.binding)
            played.attend(playground)
            with view if isinstance(view, Screen) else nullcontext():
                director = Director(playground, view, interrupt, before=played.before)
                try:
                    director.run(played.acts)
                except BaseException:
                    director.finish()
                    raise
    except KeyboardInterrupt:
        code = exits.INTERRUPTED
    except LabError as error:
        code = _say(exits.CANNOT_TELL, str(error))
    if director is None:
        return code
    story = director.story
    judged = exit_code(story.rows)
    if code != exits.INTERRUPTED:
        code = judged if judged == exits.NOT_GOOD else code or judged
    _print(console, played, story, time.monotonic() - began_s, code, as_json=as_json)
    if timeline is not None:
        timeline.write_text(draw(story, played.lanes))
    return code


def exit_code(rows: Sequence[Row]) -> int:
    """1 when a promise is broken; 3 when one could not be judged."""
    verdicts = {row.verdict for row in table.final_rows(rows)}
    if Verdict.BROKEN in verdicts:
        return exits.NOT_GOOD
    return exits.CANNOT_TELL if Verdict.LATE in verdicts else exits.GOOD


def as_document(figure: Figure, story: Story, seconds: float, code: int) -> dict[str, Any]:
    """The result for programs. Durations are milliseconds unless said."""
    rows = table.final_rows(story.rows)
    return {
        "virtualIP": VIP,
        "timing": "Default",
        "ok": code == exits.GOOD and len(rows) == len(figure.acts),
        "seconds": round(seconds, 1),
        "acts": [msgspec.to_builtins(row) for row in rows],
    }


def _print(console: Console, figure: Figure, story: Story, seconds: float, code: int, *, as_json: bool) -> None:
    if as_json:
        document = msgspec.json.encode(as_document(figure, story, seconds, code))
        sys.stdout.write(msgspec.json.format(document, indent=2).decode() + "\n")
        return
    # A pipe has no width of its own: the table's is 80 at most, its longest cells are ours.
    wide = console if console.is_terminal else Console(width=100)
    wide.print()
    wide.print(table.build(figure.acts, story.rows))
    for remark in table.remarks(story.rows):
        wide.print(remark, markup=False, highlight=False, soft_wrap=True)
    wide.print(table.summary(story.rows, figure.acts, seconds), markup=False, highlight=False, soft_wrap=True)


def _say(code: int, message: str) -> int:
    sys.stderr.write(f"vipa demo: {message}\n")
    return code
