"""VirtualIPPool: addresses to give to VirtualIPs and Services."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from vipa.resources.meta import API_VERSION, Object, ObjectMeta, Wire
from vipa.resources.selectors import LabelSelector
from vipa.resources.texts import RANGE_MAX, Label
from vipa.resources.virtualip import VirtualIPSpec

RANGES_MAX: Final = 32
"""Judged each against each, by the API server too: its budget for one rule allows no more."""


class VirtualIPPoolSpec(Wire, frozen=True):
    """Which addresses, for whom, and what the VirtualIPs made from it look like."""

    ranges: Annotated[
        tuple[Annotated[str, Meta(max_length=RANGE_MAX)], ...],
        Meta(min_length=1, max_length=RANGES_MAX, description="FIRST-LAST or a network such as 10.1.2.0/28"),
    ] = ()
    service_selector: Annotated[LabelSelector, Meta(description="Services that may use the pool")] = LabelSelector()
    namespace_selector: Annotated[LabelSelector, Meta(description="Namespaces whose Services may use the pool")] = (
        LabelSelector()
    )
    auto_assign: Annotated[bool, Meta(description="May be used by Services that name no pool")] = True
    preferred_interface_list: Annotated[
        Label, Meta(description="Name of a PreferredInterfaceList for VirtualIPs whose template names none")
    ] = ""
    template: Annotated[VirtualIPSpec, Meta(description="Fields of the VirtualIPs; no addresses, no pool")] = (
        VirtualIPSpec()
    )


class VirtualIPPool(Object, frozen=True, kw_only=True):
    """Addresses to give to VirtualIPs and Services."""

    api_version: Literal["vipa.dev/v1alpha1"] = API_VERSION
    kind: Literal["VirtualIPPool"] = "VirtualIPPool"
    metadata: ObjectMeta = ObjectMeta()
    spec: VirtualIPPoolSpec = VirtualIPPoolSpec()
