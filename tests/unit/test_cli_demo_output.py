"""What the demo prints and draws."""

import io
import math
import re
from xml.etree import ElementTree

import pytest
from rich.console import Console

from vipa.resources.virtualip import Binding
from vipa_cli import exits
from vipa_cli.demo.acts import ACTS, FIRST, THIRD
from vipa_cli.demo.command import as_document, exit_code
from vipa_cli.demo.director import Mark, Story
from vipa_cli.demo.figures import DEFAULT, FIGURES
from vipa_cli.demo.judge import Row, Stretch, Verdict
from vipa_cli.demo.table import build, remarks, summary
from vipa_cli.demo.ticker import Ticker
from vipa_cli.demo.timeline import draw, grouped
from vipa_lab.results import Live


def row(number: int, verdict: Verdict = Verdict.KEPT, *, repeated: bool = False, why: tuple[str, ...] = ()) -> Row:
    act = ACTS[number]
    return Row(
        act.key,
        act.name,
        FIRST,
        2579.0,
        12345,
        20000,
        512.0,
        1,
        0,
        31.0,
        40.0,
        act.promise.text,
        verdict,
        why,
        repeated,
    )


FIGURE = FIGURES[DEFAULT]
ALL = [row(number) for number in range(len(ACTS))]


@pytest.mark.parametrize("number", FIGURES)
def test_every_figure_fits_the_screen(number: int) -> None:
    figure = FIGURES[number]
    assert all(len(line) <= 74 for line in figure.drawing.splitlines()), "with the time before it"
    assert all(len(act.story) <= 2 * 80 for act in figure.acts)
    assert len({act.key for act in figure.acts}) == len(figure.acts)


def test_figure_3_has_the_address_everywhere() -> None:
    assert [number for number, figure in FIGURES.items() if figure.binding is Binding.EVERY_CANDIDATE] == [3]


def printed(rows: list[Row]) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80).print(build(ACTS, rows))
    return out.getvalue().splitlines()


def test_the_table_fits_80_columns_with_large_figures() -> None:
    lines = printed(ALL)
    assert len(lines) == len(ACTS) + 1
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert all("…" not in line for line in lines)
    assert lines[-1].rstrip().endswith("✓")


def test_a_late_first_run_does_not_count() -> None:
    again = [row(2, Verdict.LATE), row(2, repeated=True)]
    assert exit_code(again) == exits.GOOD
    assert any("played again" in line for line in remarks(again))


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.KEPT, Verdict.SLOW], exits.GOOD),
        ([Verdict.KEPT, Verdict.LATE], exits.CANNOT_TELL),
        ([Verdict.LATE, Verdict.BROKEN], exits.NOT_GOOD),
    ],
)
def test_exit_codes(verdicts: list[Verdict], code: int) -> None:
    assert exit_code([row(number, verdict) for number, verdict in enumerate(verdicts)]) == code


def test_what_broke_is_said_and_counted() -> None:
    rows = [*ALL[:-1], row(len(ACTS) - 1, Verdict.BROKEN, why=("3 of 10 datagrams were lost",))]
    assert f"✗ {ACTS[-1].name}: 3 of 10 datagrams were lost" in remarks(rows)
    assert summary(rows, ACTS, 50).startswith("1 of 11 promises BROKEN")
    assert summary(ALL, ACTS, 50) == "all 11 promises kept (50 s)"
    assert summary(ALL[:3], ACTS, 50).startswith("3 of 11 acts played")


def test_an_incomplete_story_is_not_ok() -> None:
    assert as_document(FIGURE, Story(0.0, rows=ALL), 50.0, exits.GOOD)["ok"] is True
    assert as_document(FIGURE, Story(0.0, rows=ALL[:3]), 50.0, exits.INTERRUPTED)["ok"] is False


def test_the_timeline_is_a_picture_with_all_that_happened() -> None:
    story = Story(
        100.0,
        end_s=150.0,
        rows=ALL,
        faults=[Mark(110.0, "pull w1/eth1"), Mark(110.1, "block w1/<b>"), Mark(120.0, "boot w1")],
        losses=[Mark(110.0, "cable", 110.05, 25)],
        served=[Stretch(FIRST, 101.0, 110.0), Stretch(THIRD, 110.05, 149.0)],
    )
    root = ElementTree.fromstring(draw(story, FIGURE.lanes))
    words = [element.text for element in root.iter() if element.text]
    assert "pull w1/eth1, block w1/<b>" in words
    assert "boot w1" in words
    assert "cable: 50 ms, 25 lost" in words
    boxes = [e for e in root.iter() if e.tag.endswith("rect") and e.get("rx")]
    assert len(boxes) == len(story.served) + len(story.losses)
    assert all(150 <= float(box.attrib["x"]) <= 1400 for box in boxes)


@pytest.mark.parametrize("at_s", [101.0, 149.9])
def test_long_words_have_room_above_and_to_the_right(at_s: float) -> None:
    words = "plug w1/eth1, unblock w1/eth2, thaw w1, start w2"
    svg = ElementTree.fromstring(draw(Story(100.0, end_s=150.0, rows=ALL, faults=[Mark(at_s, words)]), FIGURE.lanes))
    (label,) = (e for e in svg.iter() if e.text == words)
    found = re.match(r"translate\(([\d.]+),([\d.]+)\)", label.attrib["transform"])
    assert found
    x, y = map(float, found.groups())
    pixels = 6.0 * len(words)  # a narrow sans-serif's average at this size
    assert y - pixels * math.sin(math.radians(55)) > 30, "above the lanes, below the title"
    assert x + pixels * math.cos(math.radians(55)) < float(svg.attrib["width"])


def test_marks_far_apart_stay_apart() -> None:
    marks = [Mark(1.0, "a"), Mark(2.0, "b")]
    assert grouped(marks, 0.5) == marks


def test_the_ticker_shows_what_was_answered() -> None:
    ticker = Ticker()
    for at, (sent, answered, silent) in enumerate(
        [(25, 0, 0), (50, 49, 0), (75, 60, 0), (100, 60, 50), (125, 60, 100)]
    ):
        ticker.take(Live(float(at), sent, answered, "w1", silent))
    assert ticker.strip(6).plain == "  ▇▅▁▁"
    assert ticker.outage_ms == 100
