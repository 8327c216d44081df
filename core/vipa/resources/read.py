"""From a JSON-like value (a YAML or JSON document, an object of the API) to a typed, valid object or its problems."""

from typing import Final

import msgspec

from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.meta import API_VERSION
from vipa.resources.node import VirtualIPNode
from vipa.resources.pool import VirtualIPPool
from vipa.resources.problems import Problem, shown
from vipa.resources.shape import fit, nearest
from vipa.resources.validate import Resource, validate
from vipa.resources.virtualip import VirtualIP

KINDS: Final[dict[str, type[Resource]]] = {
    "VirtualIP": VirtualIP,
    "PreferredInterfaceList": PreferredInterfaceList,
    "VirtualIPPool": VirtualIPPool,
    "VirtualIPNode": VirtualIPNode,
}


class Read(msgspec.Struct, frozen=True):
    """``obj`` is there when, and only when, there are no ``problems``. ``kind`` and ``name`` are what the value says
    of itself, empty when it does not."""

    kind: str
    name: str
    obj: Resource | None
    problems: tuple[Problem, ...] = ()


def read_object(raw: object) -> Read:
    """Read one object and judge everything that can be judged from it alone. Never raises on JSON-like input."""
    if not isinstance(raw, dict):
        what = "must be an object with apiVersion, kind, metadata and spec"
        return Read("", "", None, (Problem((), shown(raw), what),))
    kind, name = _text(raw.get("kind")), _text(_inside(raw.get("metadata"), "name"))
    wrong = _wrong_kind(raw)
    if wrong:
        return Read(kind, name, None, tuple(wrong))
    fitted, problems = fit(raw, KINDS[kind])
    if problems:
        return Read(kind, name, None, tuple(problems))
    try:
        obj = msgspec.convert(fitted, KINDS[kind])
    except msgspec.ValidationError as error:  # fit() finds these first; whatever it may miss is still refused
        return Read(kind, name, None, (Problem((), "", str(error)),))
    problems = validate(obj)
    return Read(kind, name, None if problems else obj, tuple(problems))


def _wrong_kind(raw: dict[object, object]) -> list[Problem]:
    problems = []
    kind, version = raw.get("kind"), raw.get("apiVersion")
    if version != API_VERSION:
        value = "" if version is None else shown(version)
        problems.append(Problem(("apiVersion",), value, f"{'missing; ' if not value else ''}write {API_VERSION}"))
    if not isinstance(kind, str) or kind not in KINDS:
        near = nearest(kind, KINDS) if isinstance(kind, str) else ""
        remedy = f"meant {near}?" if near else f"vipa reads {', '.join(KINDS)}"
        value = "" if kind is None else shown(kind)
        problems.append(Problem(("kind",), value, f"{'unknown kind' if value else 'missing'}; {remedy}"))
    return problems


def _inside(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
