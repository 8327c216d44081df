"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """``FAIL``: an agent cannot do its work here. ``WARN``: it can, and something may get in its way. ``UNKNOWN``: it
    could not be looked at."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to write as it stands."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Finding:
    """``check``: what was looked at; ``found``: what is; ``effect``: what happens because of it; ``remedy``: what would
    be right; ``write``: files that are part of the remedy. The last three are empty when all is well."""

    check: str
    level: Level
    found: str
    remedy: str = ""
    effect: str = ""
    write: tuple[NewFile, ...] = ()


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, found)


def warn(check: str, found: str, remedy: str, effect: str = "", write: tuple[NewFile, ...] = ()) -> Finding:
    """Something may get in the way."""
    return Finding(check, Level.WARN, found, remedy, effect, write)


def fail(check: str, found: str, remedy: str, effect: str = "", write: tuple[NewFile, ...] = ()) -> Finding:
    """No agent can work so."""
    return Finding(check, Level.FAIL, found, remedy, effect, write)


def unknown(check: str, found: str, remedy: str) -> Finding:
    """It could not be looked at."""
    return Finding(check, Level.UNKNOWN, found, remedy)
