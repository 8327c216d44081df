"""YAML and JSON text into plain values that remember their lines.

PyYAML's parser gives events with positions; the values are made here. Its composer and constructor would lose lines,
turn dates into objects, let a few lines of aliases grow to gigabytes, and crash on 100,000 brackets (their C recursion
has no limit: seen with PyYAML 6.0.3). Scalars follow YAML 1.2's core schema, as JSON readers expect: ``yes``, ``on``,
``12:30`` and dates are text.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import yaml
from yaml import events

from vipa.resources.problems import Path

DEPTH_MAX: Final = 64
"""No resource nests deeper than ten; Python's own recursion must not end first."""
VALUES_MAX: Final = 1_000_000
"""Values in one text, aliases counted: far above what a folder holds (10,000 VIPs of 20 fields each), far below what an
alias bomb makes."""

# A document begins at a line that starts with three dashes; nothing inside a document can start a line so
# (YAML 1.2 section 9.1.2). Cutting there first keeps a bad document from hiding the good ones behind it.
_CUT: Final = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)
_NULL: Final = re.compile(r"~|null|Null|NULL|")
_TRUE: Final = re.compile(r"true|True|TRUE")
_FALSE: Final = re.compile(r"false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]{1,100}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_TEXT_TAG: Final = "tag:yaml.org,2002:str"

_Loader: Final[Any] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Spot(NamedTuple):
    """Where a value stands: its line, and the spots inside it by name or index."""

    line: int
    inside: dict[str | int, "Spot"]


class Document(NamedTuple):
    """One document of a text: its value, or the ``error`` why it has none. Lines count from 1."""

    value: object
    spot: Spot
    error: str = ""

    @property
    def line(self) -> int:
        """Where it begins, or where the error is."""
        return self.spot.line

    def line_of(self, path: Path) -> int:
        """Line of the value at ``path``, or of the nearest thing around it."""
        spot = self.spot
        for step in path:
            if step not in spot.inside:
                break
            spot = spot.inside[step]
        return spot.line


def documents(text: str) -> Iterator[Document]:
    """All documents of ``text`` that say anything, each on its own: an error in one leaves the others whole."""
    line = 1
    for chunk in _CUT.split(text):
        if chunk:
            yield from _Chunk(chunk, line).documents()
            line += chunk.count("\n")


class _TextError(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Made(NamedTuple):
    value: object
    spot: Spot
    size: int


class _Chunk:
    """A part of a text that begins at line ``first``."""

    def __init__(self, text: str, first: int) -> None:
        self._first = first
        self._text = text
        self._anchors: dict[str, _Made] = {}
        self._size = 0

    def documents(self) -> Iterator[Document]:
        """Those before the first error, then the error."""
        try:
            self._events = yaml.parse(self._text, Loader=_Loader)
            for event in self._events:
                if isinstance(event, events.DocumentStartEvent):
                    self._anchors = {}
                    made = self._make(next(self._events), 0)
                    if made.value is not None:  # else nothing but comments
                        yield Document(made.value, made.spot)
        except _TextError as error:
            yield _broken(error.line, str(error))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = " ".join(part for part in (error.context, error.problem) if part)
            yield _broken(self._first + (mark.line if mark else 0), f"no YAML: {what}")
        except (yaml.YAMLError, ValueError) as error:  # a character YAML does not allow, an impossible escape
            yield _broken(self._first, f"no YAML: {' '.join(str(error).split())}")

    def _make(self, event: events.Event, depth: int) -> _Made:
        line = self._line(event)
        if isinstance(event, events.AliasEvent):
            if event.anchor not in self._anchors:
                raise _TextError(line, f"*{event.anchor} stands for nothing before it; write the value itself")
            made = self._anchors[event.anchor]
            self._count(made.size, line)
            return made
        if depth > DEPTH_MAX:
            raise _TextError(line, f"nested deeper than {DEPTH_MAX} levels; no object of vipa is")
        self._count(1, line)
        before = self._size
        value: object
        inside: dict[str | int, Spot]
        if isinstance(event, events.ScalarEvent):
            value, inside = _scalar(event, line), {}
        elif isinstance(event, events.SequenceStartEvent):
            value, inside = self._list(depth)
        else:
            value, inside = self._mapping(depth)
        made = _Made(value, Spot(line, inside), self._size - before + 1)
        if isinstance(event, events.NodeEvent) and event.anchor:
            self._anchors[event.anchor] = made
        return made

    def _list(self, depth: int) -> tuple[object, dict[str | int, Spot]]:
        items: list[object] = []
        inside: dict[str | int, Spot] = {}
        while not isinstance(event := next(self._events), events.SequenceEndEvent):
            made = self._make(event, depth + 1)
            inside[len(items)] = made.spot
            items.append(made.value)
        return items, inside

    def _mapping(self, depth: int) -> tuple[object, dict[str | int, Spot]]:
        fields: dict[str, object] = {}
        inside: dict[str | int, Spot] = {}
        while not isinstance(event := next(self._events), events.MappingEndEvent):
            line = self._line(event)
            if not isinstance(event, events.ScalarEvent):
                raise _TextError(line, "the name of a field must be text")
            name = event.value
            if name in fields:
                raise _TextError(line, f"{name} is there twice in one mapping; remove one")
            made = self._make(next(self._events), depth + 1)
            fields[name] = made.value
            inside[name] = Spot(line, made.spot.inside)
        return fields, inside

    def _line(self, event: events.Event) -> int:
        return self._first + (event.start_mark.line if event.start_mark else 0)

    def _count(self, size: int, line: int) -> None:
        self._size += size
        if self._size > VALUES_MAX:
            raise _TextError(line, f"more than {VALUES_MAX} values, aliases counted; split the file")


def _broken(line: int, message: str) -> Document:
    return Document(None, Spot(line, {}), message)


def _scalar(event: events.ScalarEvent, line: int) -> object:
    text = event.value
    plain, quoted = event.implicit
    if event.tag not in (None, _TEXT_TAG):
        raise _TextError(line, f"tag {event.tag} is not read here; write the value itself")
    if quoted or not plain:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
