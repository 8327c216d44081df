"""A problem: which field of an object is wrong, its value, what is wrong with it and what would be right."""

from typing import Final

import msgspec

from vipa.reasons import Reason

Path = tuple[str | int, ...]
"""Where a value stands in an object: ("spec", "addresses", 0)."""

SHOWN_MAX: Final = 60
"""Longest value quoted in a message: with file, field and advice the line still fits a wide terminal."""


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with one object. ``value`` is short text for people; empty when the field is missing."""

    path: Path
    value: str
    message: str
    reason: Reason = Reason.INVALID

    @property
    def field(self) -> str:
        """The path as people write it: ``spec.addresses[0]``."""
        text = ""
        for step in self.path:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text

    def __str__(self) -> str:
        return ": ".join(part for part in (self.field, self.value, self.message) if part)


def shown(value: object) -> str:
    """``value`` as short one-line text; safe for any size or depth, since it never descends into containers."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() if abs(value) >= 1 << 64:
            return "a very large number"
        case int() | float():
            return str(value)
        case str():
            printable = value if value.isprintable() else ascii(value)[1:-1]
            return printable if len(printable) <= SHOWN_MAX else printable[: SHOWN_MAX - 1] + "…"
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"a mapping of {len(value)}"
    return f"a {type(value).__name__}"
