"""All cases, and a walk over the rules of a schema."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from judged import changes, lists, nodes, pools, virtualips
from judged.case import Body, Case, Change

CASES: Final[tuple[Case, ...]] = (*virtualips.CASES, *lists.CASES, *pools.CASES, *nodes.CASES)
CHANGES: Final[tuple[Change, ...]] = changes.CHANGES
RULES_KEY: Final = "x-kubernetes-validations"


class Standing(NamedTuple):
    """A rule and where it stands: ``place`` as ``spec.addresses[]``, ``names`` the field its refusal names."""

    place: str
    names: str
    rule: dict[str, str]

    @property
    def about_change(self) -> bool:
        """Whether it compares with what was there."""
        return "oldSelf" in self.rule["rule"]


def rules_of(schema: Body, place: str = "") -> Iterator[Standing]:
    """Every rule of ``schema``."""
    for rule in schema.get(RULES_KEY, ()):
        yield Standing(place, f"{place}{rule.get('fieldPath', '')}".lstrip("."), rule)
    for name, field in schema.get("properties", {}).items():
        yield from rules_of(field, f"{place}.{name}".lstrip("."))
    for below in ("items", "additionalProperties"):
        if below in schema:
            yield from rules_of(schema[below], f"{place}[]")


def values_at(value: object, place: str) -> Iterator[object]:
    """Every value that ``value`` has at ``place``."""
    if not place:
        yield value
        return
    if place.startswith("[]"):
        for item in value if isinstance(value, list) else ():
            yield from values_at(item, place.removeprefix("[]").lstrip("."))
        return
    head, dot, _ = place.partition(".")
    name, bracket, _ = head.partition("[]")
    if isinstance(value, dict) and name in value:
        yield from values_at(value[name], place.removeprefix(name).removeprefix("" if bracket else dot))
