"""One manifest text into objects and problems that say file and line. Pure: folder state is in ``folder``."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from vipa.resources import Problem, Resource, read_object
from vipa.resources.problems import Path
from vipa_agent.sources.yamltext import Document, documents

Key = tuple[str, str]
"""Kind and name of an object."""


class FileProblem(NamedTuple):
    """A problem and where it is. ``kind`` and ``name`` are empty when the text does not tell; ``kept``: an earlier,
    good version of the object stays in force."""

    file: str
    line: int
    problem: Problem
    kind: str = ""
    name: str = ""
    kept: bool = False

    def __str__(self) -> str:
        stays = " (the version before stays in force)" if self.kept else ""
        return f"{self.file}:{self.line}: {self.problem}{stays}"


class Item(NamedTuple):
    """One object as a text has it: good (``obj``) or bad (``problems``)."""

    key: Key
    line: int
    obj: Resource | None
    problems: tuple[FileProblem, ...]


def parse_manifest(text: str, file: str) -> list[Item]:
    """All objects of one YAML or JSON text; a ``List`` counts as its items. ``file`` is only named in problems.

    An item whose kind or name cannot be told has an empty key part: then nobody knows which objects the text means.
    """
    if file.endswith(".json"):
        # JSON may be indented by tabs, YAML may not; inside a JSON text a tab is never part of a value (RFC 8259
        # section 7), so this changes nothing else.
        text = text.replace("\t", " ")
    return [item for document in documents(text) for item in _items(document, file)]


def _items(document: Document, file: str) -> Iterator[Item]:
    if document.error:
        problem = FileProblem(file, document.line, Problem((), "", document.error))
        yield Item(("", ""), document.line, None, (problem,))
        return
    value = document.value
    if isinstance(value, dict) and value.get("kind") == "List" and isinstance(value.get("items"), list):
        for i, inner in enumerate(value["items"]):
            yield _item(inner, document, ("items", i), file)
    else:
        yield _item(value, document, (), file)


def _item(value: object, document: Document, at: Path, file: str) -> Item:
    read = read_object(value)
    problems = tuple(
        FileProblem(
            file, document.line_of(at + p.path), msgspec.structs.replace(p, path=at + p.path), read.kind, read.name
        )
        for p in read.problems
    )
    return Item((read.kind, read.name), document.line_of(at), read.obj, problems)


def unreadable(file: str, message: str) -> Item:
    """Stands for all of a file that cannot be read at all."""
    return Item(("", ""), 1, None, (FileProblem(file, 1, Problem((), "", message)),))
