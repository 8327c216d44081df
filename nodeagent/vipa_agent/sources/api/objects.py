"""Answers of the API about VirtualIPNodes, decoded into what the agent needs of them. Pure.

Unknown fields are passed over: whoever installs new CRDs before new agents gets new fields, with their defaults, in
every object at once. An assignment that cannot be decoded is a refusal of its own; the others go on.
"""

from enum import StrEnum
from typing import Final

import msgspec

from vipa.plan import Plan, Refusal
from vipa.reasons import Reason
from vipa.resources.assigned import plan_of
from vipa.resources.node import Assignment, VirtualIPNodeSpec, VirtualIPNodeStatus


class DecodeError(Exception):
    """The answer is not what the API promises; the message says how."""


class Change(StrEnum):
    """Types of watch events."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0


class _Spec(msgspec.Struct, frozen=True):
    epoch: int = 0
    assignments: tuple[msgspec.Raw, ...] = ()


class NodeObject(msgspec.Struct, frozen=True):
    """A VirtualIPNode as the wire has it; :func:`plan_in` reads its assignments."""

    metadata: _Meta = _Meta()
    spec: _Spec = _Spec()
    status: msgspec.Raw = msgspec.Raw(b"{}")


class Listed(msgspec.Struct, frozen=True):
    """A list with one object or none, and the version to watch from."""

    version: str
    node: NodeObject | None


class Event(msgspec.Struct, frozen=True):
    """One watch event. ``node`` for the object's own; ``version`` of it or of the bookmark; ``code`` and ``message``
    of an error."""

    change: Change
    version: str = ""
    node: NodeObject | None = None
    code: int = 0
    message: str = ""


class _List(msgspec.Struct, frozen=True):
    metadata: _Meta
    items: tuple[NodeObject, ...] = ()


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class Failure(msgspec.Struct, frozen=True):
    """The API's own words about a refusal (kind Status)."""

    code: int = 0
    reason: str = ""
    message: str = ""


_LIST: Final = msgspec.json.Decoder(_List)
_EVENT: Final = msgspec.json.Decoder(_Event)
_NODE: Final = msgspec.json.Decoder(NodeObject)
_FAILURE: Final = msgspec.json.Decoder(Failure)
_ASSIGNMENT: Final = msgspec.json.Decoder(Assignment)
_STATUS: Final = msgspec.json.Decoder(VirtualIPNodeStatus)


class _Named(msgspec.Struct, frozen=True):
    name: str = ""


def decode_list(body: bytes, name: str) -> Listed:
    """The answer to a list. Raises DecodeError."""
    try:
        listed = _LIST.decode(body)
    except msgspec.MsgspecError as error:
        raise DecodeError(f"the list of VirtualIPNodes cannot be read: {error}") from error
    node = next((item for item in listed.items if item.metadata.name == name), None)
    return Listed(listed.metadata.resource_version, node)


def decode_event(line: bytes, name: str) -> Event:
    """One line of a watch. Events about other objects come as bookmarks: only their version matters. Raises
    DecodeError."""
    try:
        event = _EVENT.decode(line)
        if event.type == Change.ERROR:
            failure = _FAILURE.decode(event.object)
            return Event(Change.ERROR, code=failure.code, message=failure.message)
        node = _NODE.decode(event.object)
        change = Change(event.type)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DecodeError(f"a watch event cannot be read: {error}") from error
    ours = change is not Change.BOOKMARK and node.metadata.name == name
    return Event(change if ours else Change.BOOKMARK, node.metadata.resource_version, node if ours else None)


def decode_failure(body: bytes) -> Failure:
    """What the API says of a refused request; what is no Status is quoted, cut short."""
    try:
        return _FAILURE.decode(body)
    except msgspec.MsgspecError:
        return Failure(message=body[:200].decode(errors="replace").strip())


def plan_in(node: NodeObject, before: Plan | None) -> Plan:
    """The plan of an object; what it says wrongly stays as ``before`` had it. Never raises."""
    good: list[Assignment] = []
    unread: list[Refusal] = []
    for raw in node.spec.assignments:
        try:
            good.append(_ASSIGNMENT.decode(raw))
        except msgspec.MsgspecError as error:
            unread.append(
                Refusal("VirtualIP", _name_of(raw), Reason.INVALID, f"its assignment cannot be read: {error}")
            )
    return plan_of(VirtualIPNodeSpec(max(node.spec.epoch, 0), tuple(good)), before, unread)


def status_in(node: NodeObject) -> VirtualIPNodeStatus:
    """The status of an object; an empty one when it is not readable (somebody else's writing)."""
    try:
        return _STATUS.decode(node.status)
    except msgspec.MsgspecError:
        return VirtualIPNodeStatus()


def _name_of(raw: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(raw, type=_Named).name
    except msgspec.MsgspecError:
        return ""
