"""The story as a picture: an SVG with one lane per adapter, the client's losses below, what was done above. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Final

from vipa_cli.demo.acts import VIP
from vipa_cli.demo.director import Mark, Story
from vipa_cli.demo.judge import Verdict
from vipa_cli.demo.table import final_rows

_COLOURS: Final = ("#2e7d32", "#66a050", "#1565c0")

_WIDTH: Final = 1400
_LEFT: Final = 150
_RIGHT: Final = 20
_TOP: Final = 40
_CHARACTER: Final = 7.5  # no narrower than a sans-serif's average at 13 px
_SLANT_DEGREES: Final = 55
_SLANT: Final = math.radians(_SLANT_DEGREES)
_LANE: Final = 34
_BAR: Final = 18
_LOSS_MIN: Final = 2.0  # an outage of some milliseconds is far narrower than a pixel, and still to be seen
_SECONDS_PER_GRID_LINE: Final = 10
_TOGETHER: Final = 0.012  # share of the width that one slanted line of words takes


def draw(story: Story, lanes: Sequence[tuple[str, str]]) -> str:
    """The whole SVG document. ``lanes``: (adapter, address) each. Where no adapter answered, the lanes are empty."""
    seconds = max(0.001, story.end_s - story.start_s)
    marks = grouped(story.faults, _TOGETHER * seconds)
    lanes_top = _TOP + 10 + round(max((_length(mark) * math.sin(_SLANT) for mark in marks), default=0))
    bottom = lanes_top + (len(lanes) + 1) * _LANE

    def x(at_s: float) -> float:
        return _LEFT + (at_s - story.start_s) / seconds * (_WIDTH - _LEFT - _RIGHT)

    # the last words may lean out of the lanes
    width = max([_WIDTH, *(math.ceil(x(mark.at_s) + 10 + _length(mark) * math.cos(_SLANT)) for mark in marks)])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 40}" '
        f'viewBox="0 0 {width} {bottom + 40}" font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="16">Who answered for {VIP}, and what its client lost ({_verdict(story)})'
        "</text>",
        *_grid(story, seconds, lanes_top, bottom, x),
    ]
    for i, (name, address) in enumerate(lanes):
        y = lanes_top + i * _LANE
        parts.append(f'<text x="8" y="{y + _BAR - 4}">{name} {address}</text>')
        for stretch in story.served:
            if stretch.endpoint == name:
                long = max(1.0, x(stretch.end_s) - x(stretch.start_s))
                parts.append(_rect(x(stretch.start_s), y, long, _COLOURS[i % len(_COLOURS)]))
    y = lanes_top + len(lanes) * _LANE
    parts.append(f'<text x="8" y="{y + _BAR - 4}">client, lost</text>')
    for loss in story.losses:
        long = max(_LOSS_MIN, x(loss.until_s) - x(loss.at_s))
        title = f"{loss.text}: {1000 * (loss.until_s - loss.at_s):.0f} ms, {loss.lost} lost"
        parts.append(_rect(x(loss.at_s), y, long, "#c62828", title))
    for mark in marks:
        at = x(mark.at_s)
        parts.append(f'<line x1="{at:.1f}" y1="{lanes_top - 6}" x2="{at:.1f}" y2="{bottom}" stroke="#b71c1c"/>')
        parts.append(
            f'<text transform="translate({at + 4:.1f},{lanes_top - 10}) rotate(-{_SLANT_DEGREES})" fill="#b71c1c">'
            f"{escape(mark.text)}</text>"
        )
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def grouped(marks: Iterable[Mark], within_s: float) -> list[Mark]:
    """Marks less than ``within_s`` after the one before as one, so that their words do not lie on each other."""
    found: list[Mark] = []
    for mark in marks:
        if found and mark.at_s - found[-1].at_s < within_s:
            found[-1] = Mark(found[-1].at_s, f"{found[-1].text}, {mark.text}")
        else:
            found.append(mark)
    return found


def _length(mark: Mark) -> float:
    return len(mark.text) * _CHARACTER


def _grid(story: Story, seconds: float, top: float, bottom: float, x: Callable[[float], float]) -> Iterable[str]:
    for second in range(0, int(seconds) + 1, _SECONDS_PER_GRID_LINE):
        at = x(story.start_s + second)
        yield f'<line x1="{at:.1f}" y1="{top - 6}" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>'
        yield f'<text x="{at:.1f}" y="{bottom + 18}" fill="#666" text-anchor="middle">{second} s</text>'


def _rect(x: float, y: float, width: float, colour: str, title: str = "") -> str:
    inner = f"<title>{escape(title)}</title>" if title else ""
    return f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" rx="2" fill="{colour}">{inner}</rect>'


def _verdict(story: Story) -> str:
    broken = sum(row.verdict is Verdict.BROKEN for row in final_rows(story.rows))
    return f"{broken} promises broken" if broken else f"{len(final_rows(story.rows))} promises kept"
