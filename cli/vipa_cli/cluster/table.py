"""Tables and colours for terminals: plain text in a pipe, fewer columns on a narrow terminal, none cut off."""

import os
import sys
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, NamedTuple, TextIO

STYLES: Final = {"good": "32", "bad": "31", "warn": "33", "bold": "1", "dim": "2"}
"""SGR parameters (ECMA-48)."""
# Two spaces tell columns apart.
_GAP: Final = 2
PIPE_WIDTH: Final = 200
"""A pipe has no width; names are at most 63 characters each and mostly short."""
_NARROWEST: Final = 20
# Of a column that takes several lines: three or four words.
_WRAP_MIN: Final = 24
_USUAL: Final = 80


class Column(NamedTuple):
    """``keep``: the lower, the sooner it is left out where there is no room; 0 is never left out. ``wrap``: it may take
    several lines, before anything is left out."""

    title: str
    keep: int = 0
    wrap: bool = False


class Cell(NamedTuple):
    """``style`` is a key of :data:`STYLES`, "" for none."""

    text: str
    style: str = ""


class Paper:
    """Where things are written: knows width and colours of ``stream``."""

    def __init__(self, stream: TextIO | None = None, width: int | None = None, colours: bool | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        terminal = self._stream.isatty()
        self.width = width or (max(_NARROWEST, _columns(self._stream)) if terminal else PIPE_WIDTH)
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"  # no-color.org
        self._colours = colours if colours is not None else terminal and not plain

    def line(self, text: str = "", style: str = "", indent: int = 0, hang: int = 0) -> None:
        """One paragraph, wrapped to the width; ``hang``: how much further in the lines after the first are."""
        if len(text) + indent <= self.width:
            lines = [" " * indent + text]
        else:
            import textwrap

            lines = textwrap.wrap(
                text,
                self.width,
                initial_indent=" " * indent,
                subsequent_indent=" " * (indent + hang),
                break_long_words=False,
                break_on_hyphens=False,
            )
        self._stream.write("".join(f"{self._paint(line, style)}\n" for line in lines))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], indent: int = 0) -> None:
        """``rows`` have a cell for each column. Columns without any content are left out; then those that are easiest
        to do without; when even so it is too wide, each row becomes a paragraph."""
        shown = [i for i in range(len(columns)) if not rows or any(row[i].text for row in rows)]
        widths = [max(len(c.title), *(len(r[i].text) for r in rows), 0) for i, c in enumerate(columns)]
        room = self.width - indent
        while not _fit(columns, widths, shown, room) and any(columns[i].keep for i in shown):
            shown.remove(min((i for i in shown if columns[i].keep), key=lambda i: columns[i].keep))
        if _total(widths, shown) > room:
            self._paragraphs(columns, rows, indent)
            return
        for row in ([Cell(column.title, "dim") for column in columns], *rows):
            for cells in zip_longest(*(_wrapped(row[i], widths[i]) for i in shown), fillvalue=Cell("")):
                padded = (
                    self._paint(c.text, c.style) + " " * (widths[i] - len(c.text))
                    for i, c in zip(shown, cells, strict=True)
                )
                self._stream.write(f"{' ' * indent}{(' ' * _GAP).join(padded).rstrip()}\n")

    def _paragraphs(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], indent: int) -> None:
        for row in rows:
            self.line(row[0].text, row[0].style or "bold", indent)
            for column, cell in zip(columns[1:], row[1:], strict=True):
                if cell.text:
                    self.line(f"{column.title.lower()}: {cell.text}", cell.style, indent + 2, 2)

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and text and self._colours else text


def _columns(stream: TextIO) -> int:
    # $COLUMNS counts more than the terminal, as for other programs.
    said = os.environ.get("COLUMNS", "")
    try:
        return int(said) if said.isascii() and said.isdigit() else os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return _USUAL


def _fit(columns: Sequence[Column], widths: list[int], shown: Sequence[int], room: int) -> bool:
    """Whether the columns have room, those that may take several lines having been made narrow enough in ``widths``."""
    for i in shown:
        if columns[i].wrap and (over := _total(widths, shown) - room) > 0:
            widths[i] = max(widths[i] - over, min(widths[i], _WRAP_MIN))
    return _total(widths, shown) <= room


def _wrapped(cell: Cell, width: int) -> list[Cell]:
    if len(cell.text) <= width:
        return [cell]
    import textwrap

    return [Cell(line, cell.style) for line in textwrap.wrap(cell.text, width, break_on_hyphens=False)]


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[i] for i in shown) + _GAP * (len(shown) - 1)
