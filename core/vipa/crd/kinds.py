"""How ``kubectl`` calls each kind, and the columns of ``kubectl get``."""

from typing import Final

import msgspec

from vipa.resources import KINDS


class Column(msgspec.Struct, frozen=True, omit_defaults=True, rename={"json_path": "jsonPath"}):
    """A printer column. ``priority`` 1: with ``-o wide`` only."""

    name: str
    type: str
    json_path: str
    description: str
    priority: int = 0


class Names(msgspec.Struct, frozen=True):
    """Plural and short name of a kind, and its columns."""

    plural: str
    short: str
    columns: tuple[Column, ...]

    @property
    def singular(self) -> str:
        """As in ``kubectl get virtualip``."""
        return next(kind for kind, names in NAMES.items() if names is self).lower()


CATEGORY: Final = "vipa"
"""``kubectl get vipa`` lists all four kinds."""


def _condition(name: str, kind: str, part: str, description: str, priority: int = 0) -> Column:
    return Column(name, "string", f'.status.conditions[?(@.type=="{kind}")].{part}', description, priority)


AGE: Final = Column("Age", "date", ".metadata.creationTimestamp", "Since when the object is there")

NAMES: Final[dict[str, Names]] = {
    "VirtualIP": Names(
        "virtualips",
        "vip",
        (
            Column("Address", "string", ".status.address", "The addresses served"),
            Column("Holder", "string", ".status.holder.endpoint", "node/interface that answers now"),
            Column("Spares", "integer", ".status.spares", "Healthy candidates besides the holder"),
            _condition("Ready", "Ready", "status", "Whether the address is served"),
            _condition("Reason", "Ready", "reason", "Why it is served, or why not"),
            Column("List", "string", ".spec.preferredInterfaceList", "The PreferredInterfaceList", 1),
            _condition("Accepted", "Accepted", "status", "Whether vipa does what the spec says", 1),
            _condition("Redundant", "Redundant", "status", "Whether a spare could take over", 1),
            _condition("Message", "Ready", "message", "The reason for people", 1),
            AGE,
        ),
    ),
    "PreferredInterfaceList": Names(
        "preferredinterfacelists",
        "pil",
        (Column("Fallback", "string", ".spec.fallback", "May others serve when none of these can"), AGE),
    ),
    "VirtualIPPool": Names(
        "virtualippools",
        "vippool",
        (
            Column("Ranges", "string", ".spec.ranges", "Addresses to give"),
            Column("Auto", "boolean", ".spec.autoAssign", "May be used by Services that name no pool"),
            Column("List", "string", ".spec.preferredInterfaceList", "The PreferredInterfaceList", 1),
            AGE,
        ),
    ),
    "VirtualIPNode": Names(
        "virtualipnodes",
        "vipn",
        (
            Column("Epoch", "integer", ".spec.epoch", "The plan that the operator gave"),
            Column("Seen", "integer", ".status.epoch", "The plan that the agent works by"),
            Column("Held", "string", ".status.held", "Names of the VirtualIPs served here"),
            Column("Version", "string", ".status.agent.version", "The agent's", 1),
            AGE,
        ),
    ),
}

if NAMES.keys() != KINDS.keys():
    raise TypeError("every kind needs its names, and no other has some")
