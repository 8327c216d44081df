"""From the types of :mod:`vipa.resources` to structural schemas: types, bounds, choices, defaults, descriptions.

Only what the types say; the rules of :mod:`vipa.crd.rules` and the manners of :mod:`vipa.crd.lists` are put in where
their keys say.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

import msgspec
from msgspec import inspect

from vipa.crd.lists import ATOMIC_TYPES, MAPS, SETS
from vipa.crd.rule import Rule

Schema = dict[str, object]
Rules = Mapping[str, tuple[Rule, ...]]

RULES_KEY: Final = "x-kubernetes-validations"


class At(NamedTuple):
    """Where a value stands: as a ``field`` of a type, "Failback.delay", and by its ``path`` from the object's kind,
    "VirtualIP.spec.failback.delay". Both end in [] for an entry of a list or map."""

    field: str
    path: str

    @property
    def entries(self) -> "At":
        """The entries of the list or map here."""
        return At(f"{self.field}[]", f"{self.path}[]")


class Generator:
    """Makes schemas with ``rules``; ``used`` are the keys of ``rules`` that found their place."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.used: set[str] = set()

    def schema(self, kind: inspect.Type, at: At, *, defaults: bool) -> Schema:
        """Schema of a value of ``kind`` that stands ``at``. ``defaults``: whether the API server fills in what is left
        out; it does in a spec, and not in a status, which says what was reported and nothing else."""
        made = self._of(kind, at, defaults=defaults)
        self._rule(made, at.field)
        if at.path != at.field:
            self._rule(made, at.path)
        return made

    def root(self, made: Schema, kind: str) -> None:
        """Put the rules about whole objects of ``kind`` into ``made``."""
        self._rule(made, kind)

    def _of(self, kind: inspect.Type, at: At, *, defaults: bool) -> Schema:
        match kind:
            case inspect.Metadata():
                return {**(kind.extra_json_schema or {}), **self._of(kind.type, at, defaults=defaults)}
            case inspect.UnionType():
                return self._of(_plain(kind), at, defaults=defaults)
            case inspect.EnumType():
                return {"type": "string", "enum": [str(m.value) for m in kind.cls]}
            case inspect.StructType():
                return self._struct(kind, at, defaults=defaults)
            case inspect.DictType():
                values = self.schema(kind.value_type, at.entries, defaults=defaults)
                bounds = _bounds(kind, "minProperties", "maxProperties")
                return {"type": "object", "additionalProperties": values, **bounds}
            case inspect.VarTupleType():
                items = self.schema(kind.item_type, at.entries, defaults=defaults)
                return {"type": "array", "items": items, **_bounds(kind, "minItems", "maxItems"), **_merging(at.field)}
            case inspect.StrType():
                return {"type": "string", **_bounds(kind, "minLength", "maxLength")}
            case inspect.BoolType():
                return {"type": "boolean"}
            case inspect.IntType():
                return {"type": "integer", "format": "int64", **_range(kind)}
        raise TypeError(f"{kind} at {at.path} is not used by any resource")

    def _struct(self, kind: inspect.StructType, at: At, *, defaults: bool) -> Schema:
        name = kind.cls.__name__
        fields: Schema = {}
        for field in kind.fields:
            below = At(f"{name}.{field.encode_name}", f"{at.path}.{field.encode_name}")
            made = self.schema(field.type, below, defaults=defaults)
            if text := described(field.type):
                made = {"description": text, **made}
            if defaults and (default := default_of(field)) is not None:
                made["default"] = default
            fields[field.encode_name] = made
        made = {"type": "object", "properties": fields}
        if needed := [f.encode_name for f in kind.fields if is_needed(f)]:
            made["required"] = needed
        if name in ATOMIC_TYPES:
            made["x-kubernetes-map-type"] = "atomic"
        self._rule(made, name)
        return made

    def _rule(self, made: Schema, key: str) -> None:
        if key in self._rules:
            self.used.add(key)
            already = made.get(RULES_KEY, [])
            assert isinstance(already, list)
            made[RULES_KEY] = [*already, *(msgspec.to_builtins(rule) for rule in self._rules[key])]


def is_needed(field: inspect.Field) -> bool:
    """Whether an object without ``field`` is refused: it has no default, or one that its own bounds refuse."""
    kind = _plain(field.type)
    at_least = kind.min_length if isinstance(kind, inspect.VarTupleType | inspect.StrType) else None
    return field.required or bool(at_least)


def default_of(field: inspect.Field) -> object:
    """What the API server writes when ``field`` is left out; None for nothing: the empty text, list and selector mean
    "not said", and an object should show what was said."""
    default = field.default
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, bool | int) or (isinstance(default, str) and default):
        return default
    if isinstance(default, msgspec.Struct):
        # Complete, though the API server would fill in {}: it judges a default as it stands.
        made = {f.encode_name: default_of(f) for f in fields_of(type(default))}
        return {name: value for name, value in made.items() if value is not None} or None
    return None


def fields_of(cls: type) -> tuple[inspect.Field, ...]:
    """The fields of a Struct class, as the wire has them."""
    kind = inspect.type_info(cls)
    assert isinstance(kind, inspect.StructType)
    return kind.fields


def sentence(docstring: str) -> str:
    """``docstring`` as ``kubectl explain`` shows it: one line, without markup."""
    text = " ".join(docstring.split())
    return re.sub(r":\w+:`[~.]?([^`]*)`|``([^`]*)``", lambda found: found[1] or found[2], text)


def described(kind: inspect.Type) -> str:
    """A field's own description, else that of its type."""
    if isinstance(kind, inspect.Metadata):
        own = (kind.extra_json_schema or {}).get("description")
        return str(own) if own else described(kind.type)
    plain = _plain(kind)
    if isinstance(plain, inspect.StructType | inspect.EnumType):
        return sentence(plain.cls.__doc__ or "")
    return ""


def _plain(kind: inspect.Type) -> inspect.Type:
    if isinstance(kind, inspect.Metadata):
        return _plain(kind.type)
    if isinstance(kind, inspect.UnionType):
        return _plain(next(t for t in kind.types if not isinstance(t, inspect.NoneType)))
    return kind


def _merging(key: str) -> Schema:
    if key in MAPS:
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(MAPS[key])}
    return {"x-kubernetes-list-type": "set" if key in SETS else "atomic"}


def _bounds(kind: inspect.StrType | inspect.VarTupleType | inspect.DictType, least: str, most: str) -> Schema:
    bounds = {least: kind.min_length, most: kind.max_length}
    return {word: bound for word, bound in bounds.items() if bound is not None}


def _range(kind: inspect.IntType) -> Schema:
    return {word: bound for word, bound in (("minimum", kind.ge), ("maximum", kind.le)) if bound is not None}
