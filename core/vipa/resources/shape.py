"""Does a JSON-like value have the shape of a resource type? Finds everything at once: unknown fields, wrong types,
words that are no choice, numbers and lengths out of bounds.

msgspec's own decoder stops at the first error and speaks of types; people need all errors, their paths and the remedy.
The shape is read from the same Structs, so there is nothing to keep in step.
"""

import difflib
from collections.abc import Iterable, Iterator, Sized
from functools import cache
from typing import Final

from msgspec import inspect

from vipa.resources.problems import Path, Problem, shown
from vipa.resources.selectors import LabelSelector

OPEN_FIELDS: Final = frozenset({("metadata",), ("status",)})
"""Where unknown fields are not ours to judge: Kubernetes owns metadata, and a status may come from a newer agent."""

DROP: Final = object()
"""Stands for a value that is left out: null for a field means its default, as in Kubernetes."""

Bounded = inspect.StrType | inspect.VarTupleType | inspect.DictType
"""The types with lengths."""

NAMES: Final[dict[type, str]] = {str: "text", bool: "true or false", int: "a whole number", dict: "a mapping"}


@cache
def _type_of(cls: type) -> inspect.Type:
    return inspect.type_info(cls)


def fit(raw: object, cls: type) -> tuple[object, list[Problem]]:
    """``raw`` without its nulls, ready for ``msgspec.convert`` to ``cls``, and all problems found."""
    problems: list[Problem] = []
    return _fit(raw, _type_of(cls), (), problems), problems


def nearest(word: str, words: Iterable[str]) -> str:
    """The one of ``words`` that ``word`` was probably meant to be, or an empty string."""
    folded = {w.lower(): w for w in words}
    # A name of a manifest is short; cutting keeps difflib's quadratic cost away from absurd input.
    found = difflib.get_close_matches(word[:64].lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def _fit(raw: object, kind: inspect.Type, path: Path, problems: list[Problem]) -> object:
    match kind:
        case inspect.Metadata():
            return _fit(raw, kind.type, path, problems)
        case inspect.UnionType():
            # The only unions are "X or nothing".
            return _fit(raw, next(t for t in kind.types if not isinstance(t, inspect.NoneType)), path, problems)
        case inspect.EnumType():
            return _fit_choice(raw, [str(m.value) for m in kind.cls], path, problems)
        case inspect.LiteralType():
            return _fit_choice(raw, [str(v) for v in kind.values], path, problems)
        case _ if raw is None:
            return DROP
        case inspect.StructType():
            return _fit_struct(raw, kind, path, problems)
        case inspect.DictType():
            return _fit_dict(raw, kind, path, problems)
        case inspect.VarTupleType():
            return _fit_list(raw, kind, path, problems)
        case inspect.IntType():
            return _fit_int(raw, kind, path, problems)
        case inspect.BoolType():
            return _typed(raw, bool, path, problems)
        case inspect.StrType():
            return _fit_str(raw, kind, path, problems)
    raise TypeError(f"{kind} is not used by any resource")


def _typed(raw: object, wanted: type, path: Path, problems: list[Problem]) -> object:
    if type(raw) is not wanted:
        hint = f'; put it in quotes: "{shown(raw)}"' if wanted is str and isinstance(raw, int | float) else ""
        problems.append(Problem(path, shown(raw), f"must be {NAMES[wanted]}, is {_name(raw)}{hint}"))
    return raw


def _name(raw: object) -> str:
    if isinstance(raw, list | tuple):
        return "a list"
    return NAMES.get(type(raw), "a number" if isinstance(raw, float) else f"a {type(raw).__name__}")


def _fit_choice(raw: object, choices: list[str], path: Path, problems: list[Problem]) -> object:
    # Null is no word: "fallback: null" might mean Any to a program and None to its author.
    if not isinstance(raw, str) or raw not in choices:
        near = nearest(raw, choices) if isinstance(raw, str) else ""
        meant = f" (meant {near}?)" if near and len(choices) > 1 else ""
        remedy = f"must be one of {', '.join(choices)}" if len(choices) > 1 else f"must be {choices[0]}"
        problems.append(Problem(path, shown(raw), remedy + meant))
    return raw


def _fit_int(raw: object, kind: inspect.IntType, path: Path, problems: list[Problem]) -> object:
    before = len(problems)
    _typed(raw, int, path, problems)
    if len(problems) == before and isinstance(raw, int):
        low, high = kind.ge, kind.le
        if (low is not None and raw < low) or (high is not None and raw > high) or abs(raw) >= 1 << 63:
            bounds = f"from {low} to {high}" if high is not None else f"{low or 0} or a sensible number above"
            problems.append(Problem(path, shown(raw), f"out of range; write a number {bounds}"))
    return raw


def _fit_str(raw: object, kind: inspect.StrType, path: Path, problems: list[Problem]) -> object:
    if isinstance(_typed(raw, str, path, problems), str):
        problems.extend(_out_of_bounds(raw, kind, path, "characters", "character"))
    return raw


def _out_of_bounds(raw: object, kind: Bounded, path: Path, many: str, one: str) -> Iterator[Problem]:
    length = len(raw) if isinstance(raw, Sized) else 0
    if kind.max_length is not None and length > kind.max_length:
        yield Problem(path, shown(raw), f"too long; at most {kind.max_length} {many} are allowed")
    if kind.min_length is not None and length < kind.min_length:
        yield Problem(path, shown(raw), f"too short; at least {kind.min_length} {one} is needed")


def _fit_list(raw: object, kind: inspect.VarTupleType, path: Path, problems: list[Problem]) -> object:
    if not isinstance(raw, list | tuple):
        hint = f"; write [{shown(raw)}]" if isinstance(raw, str | int | float) else ""
        problems.append(Problem(path, shown(raw), f"must be a list, is {_name(raw)}{hint}"))
        return raw
    if wrong := list(_out_of_bounds(raw, kind, path, "entries", "entry")):
        problems.extend(wrong)
        return raw
    items = []
    for i, item in enumerate(raw):
        if item is None:
            problems.append(Problem((*path, i), "null", "empty entry; write a value or remove the line"))
        else:
            items.append(_fit(item, kind.item_type, (*path, i), problems))
    return items


def _fit_dict(raw: object, kind: inspect.DictType, path: Path, problems: list[Problem]) -> object:
    if not isinstance(raw, dict):
        problems.append(Problem(path, shown(raw), f"must be a mapping of names to values, is {_name(raw)}"))
        return raw
    if wrong := list(_out_of_bounds(raw, kind, path, "entries", "entry")):
        problems.extend(wrong)
        return raw
    fitted = {}
    for key, value in raw.items():
        at = (*path, shown(key))
        _typed(key, str, at, problems)
        if value is None:
            problems.append(Problem(at, "null", 'no value; write one, or "" for an empty one'))
        else:
            fitted[key] = _fit(value, kind.value_type, at, problems)
    return fitted


def _fit_struct(raw: object, kind: inspect.StructType, path: Path, problems: list[Problem]) -> object:
    if not isinstance(raw, dict):
        problems.append(Problem(path, shown(raw), f"must be a mapping of fields, is {_name(raw)}"))
        return raw
    fields = {f.encode_name: f for f in kind.fields}
    fitted = {}
    for key, value in raw.items():
        field = fields.get(key) if isinstance(key, str) else None
        if field is None:
            if path[:1] not in OPEN_FIELDS:
                problems.append(_unknown(key, value, kind, path))
            continue
        kept = _fit(value, field.type, (*path, key), problems)
        if kept is not DROP:
            fitted[key] = kept
    for name, field in fields.items():
        if field.required and raw.get(name) is None:
            problems.append(Problem((*path, name), "", "missing; this field is needed"))
    return fitted


def _unknown(key: object, value: object, kind: inspect.StructType, path: Path) -> Problem:
    names = [f.encode_name for f in kind.fields]
    near = nearest(key, names) if isinstance(key, str) else ""
    if near:
        remedy = f"meant {near}?"
    elif kind.cls is LabelSelector:
        remedy = f"labels go under matchLabels: {{{shown(key)}: {shown(value)}}}"
    else:
        remedy = f"known here: {', '.join(names)}"
    return Problem((*path, shown(key)), shown(value), f"unknown field; {remedy}")
