"""A folder of manifests and the last good set of its objects.

A bad document disturbs nothing else. An object that was good before and is bad now keeps its last good version; an
object that is gone is removed, unless a text nobody can read might still hold it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from vipa.plan import Refusal
from vipa.resources import Problem, Resource
from vipa_agent.sources.manifests import FileProblem, Item, Key, parse_manifest, unreadable

SUFFIXES: Final = (".yaml", ".yml", ".json")
FILE_MAX_BYTES: Final = 16 << 20
"""10,000 VIPs take about 4 MB; a log file that strayed here must not stop the agent for minutes."""


STDIN: Final = "standard input"


class Loaded(NamedTuple):
    """What a folder says now: the objects in force, what is wrong, and a refusal for each object of which no good
    version is known."""

    objects: tuple[Resource, ...]
    problems: tuple[FileProblem, ...]
    refused: tuple[Refusal, ...]


def load_files(paths: Iterable[Path], text: str | None = None) -> Loaded:
    """Files and folders read once, as one set; ``text`` is one more manifest, as from standard input."""
    items = [(str(file), item) for path in paths for file in _manifests_at(path) for item in read_file(file)]
    if text is not None:
        items.extend((STDIN, item) for item in parse_manifest(text, STDIN))
    return Manifests(Path()).settle(items)


class Manifests:
    """A folder, read again and again. Not for use from two threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._good: dict[Key, tuple[str, Resource]] = {}

    def load(self) -> Loaded:
        """Read every ``*.yaml``, ``*.yml`` and ``*.json`` of the folder. Never raises for what is in it."""
        try:
            paths = _manifests_in(self.folder)
        except OSError as error:
            problem = Problem((), "", f"cannot read the folder: {error.strerror}; make it readable")
            where = FileProblem(str(self.folder), 0, problem, kept=bool(self._good))
            return Loaded(tuple(obj for _, obj in self._good.values()), (where,), ())
        return self.settle([(str(path), item) for path in paths for item in read_file(path)])

    def settle(self, items: Iterable[tuple[str, Item]]) -> Loaded:
        """The new set from everything read now (file, item), and from what was good before."""
        before, self._good = self._good, {}
        first: dict[Key, str] = {}
        problems: list[FileProblem] = []
        bad: dict[Key, list[FileProblem]] = {}
        murky: set[str] = set()
        for file, item in items:
            known = all(item.key)
            if known and item.key in first:
                problems.append(_again(file, item, first[item.key]))
                continue
            if known:
                first[item.key] = f"{file}:{item.line}"
            if item.obj is not None:
                self._good[item.key] = file, item.obj
            elif known:
                bad.setdefault(item.key, []).extend(item.problems)
            else:
                murky.add(file)
                problems.extend(item.problems)
        for key, (file, obj) in before.items():
            # What is now bad keeps its last good version, and so does what an unreadable text might still hold.
            if key in bad or (key not in first and file in murky):
                self._good[key] = file, obj
        problems.extend(p._replace(kept=key in self._good) for key, found in bad.items() for p in found)
        refused = tuple(_refusal(key, found) for key, found in bad.items() if key not in self._good)
        problems.sort(key=lambda p: (p.file, p.line, p.problem.field))
        return Loaded(tuple(obj for _, (_, obj) in sorted(self._good.items())), tuple(problems), refused)


def _manifests_at(path: Path) -> list[Path]:
    return _manifests_in(path) if path.is_dir() else [path]


def _manifests_in(folder: Path) -> list[Path]:
    # Hidden names are editors' leftovers and the inside of ConfigMap volumes.
    return sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and not p.name.startswith("."))


def read_file(path: Path) -> list[Item]:
    """The objects of one file; one nameless bad item when it cannot be read."""
    return list(_read_file(path))


def _read_file(path: Path) -> Iterator[Item]:
    try:
        info = path.stat()
        if not S_ISREG(info.st_mode):  # reading a pipe would block
            yield unreadable(str(path), "is no regular file; remove it or give it another suffix")
        elif info.st_size > FILE_MAX_BYTES:
            yield unreadable(str(path), f"larger than {FILE_MAX_BYTES >> 20} MiB; split it")
        else:
            # "utf-8-sig": some editors begin a file with a byte order mark.
            yield from parse_manifest(path.read_bytes().decode("utf-8-sig"), str(path))
    except OSError as error:
        yield unreadable(str(path), f"cannot be read: {error.strerror}; make it readable")
    except UnicodeDecodeError as error:
        yield unreadable(str(path), f"no UTF-8 text at byte {error.start}; save it as UTF-8")


def _again(file: str, item: Item, first: str) -> FileProblem:
    kind, name = item.key
    message = f"{kind} {name} is already at {first}; remove one, the first counts"
    return FileProblem(file, item.line, Problem(("metadata", "name"), name, message), kind, name)


def _refusal(key: Key, found: list[FileProblem]) -> Refusal:
    return Refusal(*key, found[0].problem.reason, "; ".join(str(p) for p in found))
