"""The one table of what the schema knows but this build does not do yet. It is refused, never ignored: a user who asks
for it must not believe to have it. Supporting something means deleting its entry here."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from vipa.reasons import Reason
from vipa.resources.pool import VirtualIPPool
from vipa.resources.problems import Path, Problem
from vipa.resources.virtualip import AttachmentType, Partition, VirtualIP

Used = Iterator[tuple[Path, str]]
"""Where in an object something is used, and the value there."""


class NotYet(NamedTuple):
    """One thing not done yet: where it is used in an object of this kind, and the sentence for people."""

    kind: type
    used: Callable[..., Used]
    sentence: str


def _when(used: bool, field: str, value: str) -> Used:
    return iter([(("spec", field), value)] if used else [])


def _attachment(vip: VirtualIP) -> Used:
    there = vip.spec.attachment.type is AttachmentType.VIRTUAL_ETHERNET
    return iter([(("spec", "attachment", "type"), "VirtualEthernet")] if there else [])


NOT_YET: Final = (
    NotYet(
        VirtualIP,
        lambda v: _when(bool(v.spec.pool), "pool", v.spec.pool),
        "pools are not served by this version of vipa; name the address under addresses",
    ),
    NotYet(VirtualIP, _attachment, "this version of vipa serves addresses of the host only; leave attachment out"),
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
