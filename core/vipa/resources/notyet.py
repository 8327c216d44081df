"""The one table of what the schema knows but this build does not do yet. It is refused, never ignored: a user who asks
for it must not believe to have it. Supporting something means deleting its entry here."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from vipa.reasons import Reason
from vipa.resources.pool import VirtualIPPool
from vipa.resources.problems import Path, Problem
from vipa.resources.virtualip import AttachmentType, Binding, Partition, VirtualIP

Used = Iterator[tuple[Path, str]]
"""Where in an object something is used, and the value there."""


class NotYet(NamedTuple):
    """One thing not done yet: where it is used in an object of this kind, and the sentence for people."""

    kind: type
    used: Callable[..., Used]
    sentence: str


def _when(used: bool, field: str, value: str) -> Used:
    return iter([(("spec", field), value)] if used else [])


def _everywhere_behind(vip: VirtualIP) -> bool:
    behind = vip.spec.attachment.type is AttachmentType.VIRTUAL_ETHERNET
    return behind and vip.spec.binding is Binding.EVERY_CANDIDATE


NOT_YET: Final = (
    NotYet(
        VirtualIP,
        lambda v: _when(bool(v.spec.pool), "pool", v.spec.pool),
        "pools are not served by this version of vipa; name the address under addresses",
    ),
    NotYet(
        VirtualIP,
        lambda v: _when(_everywhere_behind(v), "binding", "EveryCandidate"),
        "an address behind a bridge is the guest's alone; leave binding out, or attachment",
    ),
    NotYet(
        VirtualIP,
        lambda v: _when(v.spec.partition is Partition.SINGLE, "partition", "Single"),
        "this version of vipa has no voters; leave partition out to serve each side of a split LAN",
    ),
    NotYet(
        VirtualIPPool,
        lambda p: iter([(("kind",), p.kind)]),
        "pools are not served by this version of vipa; name addresses in VirtualIP objects",
    ),
)


def not_supported_yet(obj: object) -> list[Problem]:
    """One problem for each use in ``obj`` of something this build does not do."""
    return [
        Problem(path, value, entry.sentence, Reason.NOT_SUPPORTED_YET)
        for entry in NOT_YET
        if isinstance(obj, entry.kind)
        for path, value in entry.used(obj)
    ]
