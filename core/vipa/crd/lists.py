"""How server-side apply merges lists and maps of several writers. Keys are "Type.field" of :mod:`vipa.resources`.

A list is *atomic* (one writer owns all of it) unless it stands here. Atomic are the lists whose order means something
(a succession, the entries of a PreferredInterfaceList: two half orders make no order), the addresses of a VirtualIP
(a second writer is to meet a conflict, not to add an address), and the long lists that one program writes alone: the
managedFields of a map of 10,000 entries would be larger than the entries.
"""

from collections.abc import Mapping
from typing import Final

MAPS: Final[Mapping[str, tuple[str, ...]]] = {
    "VirtualIPStatus.conditions": ("type",),
    "VirtualIPNodeStatus.interfaces": ("name",),
}
"""Lists whose entries are told apart by these fields: each writer owns its own entries, none is there twice."""

SETS: Final = frozenset(
    {
        "VirtualIPSpec.interfaces",
        "VirtualIPSpec.probeTargets",
        "VirtualIPSpec.voters",
        "VirtualIPPoolSpec.ranges",
        "VirtualIPNodeStatus.held",
    }
)
"""Lists of texts, each at most once; several writers may add."""

ATOMIC_TYPES: Final = frozenset({"LabelSelector"})
"""Half a selector selects something else: replaced as a whole, as everywhere in Kubernetes."""
