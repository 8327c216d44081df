"""VirtualIPPool: addresses to give to VirtualIPs and Services."""

from typing import Annotated, Literal

from msgspec import Meta

from vipa.resources.meta import API_VERSION, Object, ObjectMeta, Wire
from vipa.resources.selectors import LabelSelector
from vipa.resources.virtualip import VirtualIPSpec


class VirtualIPPoolSpec(Wire, frozen=True):
    """Which addresses, for whom, and what the VirtualIPs made from it look like."""

    ranges: Annotated[
        tuple[str, ...], Meta(min_length=1, max_length=64, description="FIRST-LAST or a network such as 10.1.2.0/28")
    ] = ()
    service_selector: LabelSelector = LabelSelector()
    namespace_selector: LabelSelector = LabelSelector()
    auto_assign: Annotated[bool, Meta(description="May be used by Services that name no pool")] = True
    preferred_interface_list: str = ""
    template: Annotated[VirtualIPSpec, Meta(description="Fields of the VirtualIPs; no addresses, no pool")] = (
        VirtualIPSpec()
    )


class VirtualIPPool(Object, frozen=True, kw_only=True):
    """Short name: vippool."""

    api_version: Literal["vipa.dev/v1alpha1"] = API_VERSION
    kind: Literal["VirtualIPPool"] = "VirtualIPPool"
    metadata: ObjectMeta = ObjectMeta()
    spec: VirtualIPPoolSpec = VirtualIPPoolSpec()
