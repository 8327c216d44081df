"""PreferredInterfaceList: ordered endpoints, the first is the most preferred."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta

from vipa.resources.meta import API_VERSION, Object, ObjectMeta, Wire
from vipa.resources.selectors import LabelSelector
from vipa.resources.texts import Address, InterfaceGlob, NodeName

ENTRIES_MAX: Final = 64
"""docs/design/0004-resources.md: a list is something people order by hand."""


class Fallback(StrEnum):
    """May an unlisted interface serve when none of the listed can."""

    ANY = "Any"
    NONE = "None"


class ListEntry(Wire, frozen=True):
    """Exactly one of: ``address``; ``node`` and ``interface``; ``nodeSelector`` and ``interface``."""

    address: Annotated[Address, Meta(description="The interface with this own address, whichever node owns it")] = ""
    node: Annotated[NodeName, Meta(description="Name of a node; needs interface")] = ""
    node_selector: Annotated[LabelSelector | None, Meta(description="Nodes by label; needs interface")] = None
    interface: Annotated[InterfaceGlob, Meta(description="Interface name; with nodeSelector a glob")] = ""


class PreferredInterfaceListSpec(Wire, frozen=True):
    """The order, and whether others may serve after it."""

    interfaces: Annotated[
        tuple[ListEntry, ...], Meta(min_length=1, max_length=ENTRIES_MAX, description="Most preferred first")
    ] = ()
    fallback: Fallback = Fallback.ANY


class PreferredInterfaceList(Object, frozen=True, kw_only=True):
    """Endpoints in the order in which they are preferred."""

    api_version: Literal["vipa.dev/v1alpha1"] = API_VERSION
    kind: Literal["PreferredInterfaceList"] = "PreferredInterfaceList"
    metadata: ObjectMeta = ObjectMeta()
    spec: PreferredInterfaceListSpec = PreferredInterfaceListSpec()
