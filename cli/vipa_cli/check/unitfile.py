"""Configuration in systemd's and NetworkManager's way: sections, keys, drop-ins that override by name. Pure, but for
reading below a root folder. What cannot be read says nothing.
"""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, NamedTuple

SYSTEMD_DIRS: Final = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd")
"""Weightiest first (systemd.syntax(7), networkd.conf(5))."""


class Entry(NamedTuple):
    """One line of a file."""

    section: str
    key: str
    value: str


def parse(text: str) -> Iterator[Entry]:
    """``[Section]``, ``Key=value``, comments by # or ;, a backslash at the end of a line joins the next."""
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            section = stripped[1:-1].strip()
            continue
        key, equals, value = stripped.partition("=")
        if equals:
            yield Entry(section, key.strip(), value.strip())


def by_name(root: Path, folders: Sequence[str], pattern: str) -> list[Path]:
    """Files of all folders in the order of their names, wherever they are; of one name the weightiest folder's. A file
    that is empty or links to /dev/null only hides those of its name."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((root / folder).glob(pattern)):
            found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def read(path: Path) -> str:
    """Its text, "" when it cannot be had."""
    try:
        return path.read_text(errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def systemd_drop_ins(root: Path, name: str) -> list[Path]:
    """The drop-ins of ``NAME.conf``, the weightiest last."""
    return by_name(root, [f"{folder}/{name}.conf.d" for folder in SYSTEMD_DIRS], "*.conf")


def systemd_conf(root: Path, name: str) -> list[Entry]:
    """What ``NAME.conf`` and its drop-ins say, the weightiest last: the main file of the first folder that has one,
    then all drop-ins."""
    main = next((path for folder in SYSTEMD_DIRS if (path := root / folder / f"{name}.conf").exists()), None)
    return [entry for path in ([main] if main else []) + systemd_drop_ins(root, name) for entry in parse(read(path))]


def new_name(before: Sequence[Path], keys: Sequence[str]) -> str:
    """What to call a drop-in that has the last word on ``keys``, beside the drop-ins ``before``."""
    speaking = [path.name for path in before if any(entry.key.rstrip("+-") in keys for entry in parse(read(path)))]
    first, final = "10-vipa.conf", "zz-vipa.conf"
    return final if any(name > first for name in speaking) else first


def last(entries: Sequence[Entry], section: str, key: str, default: str) -> str:
    """The value that counts, in lower case; an empty one means the default."""
    values = [entry.value for entry in entries if (entry.section, entry.key) == (section, key)]
    return values[-1].lower() if values and values[-1] else default


def globs(words: Sequence[str], name: str) -> bool:
    """Whether one of the shell patterns meets ``name``."""
    return any(fnmatchcase(name, word) for word in words)
