"""What a reconciliation wants written. Each is one request; all of them may be lost and are then made again."""

from dataclasses import dataclass, field
from enum import StrEnum

from vipa.resources.node import VirtualIPNodeSpec
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.reconcile.cluster import Key


class Severity(StrEnum):
    """Type of an Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class EventWrite:
    """An Event on an object. Equal ones are one Event that is counted."""

    kind: str
    name: str
    uid: str
    severity: Severity
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class SpecWrite:
    """The share of ``node``. ``uid`` is the object's own, "" when it is to be made; ``gone`` as :class:`SeenAgent` has
    it; ``events`` are said once it is written."""

    node: str
    uid: str
    spec: VirtualIPNodeSpec
    gone: str = ""
    events: tuple[EventWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteWrite:
    """Delete the VirtualIPNode of ``node``, if it still is as it was seen: ``version`` is its resourceVersion. Then say
    why."""

    node: str
    uid: str
    version: str
    events: tuple[EventWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """The status of a VIP, and the events that become true with it: they are said once it is written."""

    vip: str
    uid: str
    status: VirtualIPStatus
    events: tuple[EventWrite, ...] = ()


@dataclass(frozen=True, slots=True)
class AnnotationWrite:
    """Remove the request to move, if it still is ``value``; then say what became of it."""

    vip: str
    uid: str
    value: str
    events: tuple[EventWrite, ...] = ()


@dataclass(slots=True)
class Writes:
    """Everything one reconciliation wants written. ``due_in_s``: when to look again at which object although nothing
    changed."""

    specs: list[SpecWrite] = field(default_factory=list)
    deletions: list[DeleteWrite] = field(default_factory=list)
    statuses: list[StatusWrite] = field(default_factory=list)
    annotations: list[AnnotationWrite] = field(default_factory=list)
    events: list[EventWrite] = field(default_factory=list)
    due_in_s: dict[Key, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.specs or self.deletions or self.statuses or self.annotations or self.events)
