"""What two objects can dispute: an address. Decided by age and name alone, so that a newcomer disturbs nobody."""

from collections.abc import Iterable

from vipa.plan import Refusal
from vipa.planner.lans import Lans
from vipa.reasons import Reason
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.virtualip import VirtualIP


def age(obj: VirtualIP | PreferredInterfaceList) -> tuple[str, str]:
    """Sorts older before newer, then by name. Kubernetes writes creation times in one form, so text order is time
    order; objects of a folder have none and count as equally old."""
    return obj.metadata.creation_timestamp, obj.metadata.name


class Addresses:
    """Who may have which address."""

    def __init__(self, vips: Iterable[VirtualIP], lists: Iterable[PreferredInterfaceList], lans: Lans) -> None:
        """``vips`` and ``lists`` are valid by themselves. An invalid VIP holds no address; one that is only short of
        candidates does, or its address would change hands back and forth."""
        self._lans = lans
        self._keeper: dict[str, str] = {}
        for vip in sorted(vips, key=age):
            for address in vip.spec.addresses:
                self._keeper.setdefault(address, vip.metadata.name)
        self._listed: dict[str, list[PreferredInterfaceList]] = {}
        for pil in sorted(lists, key=age):
            for entry in pil.spec.interfaces:
                if entry.address:
                    self._listed.setdefault(entry.address, []).append(pil)

    def dispute(self, vip: VirtualIP) -> Refusal | None:
        """Why ``vip`` may not have one of its addresses, or None."""
        for address in vip.spec.addresses:
            if homes := self._lans.own.get(address):
                owner = f"{homes[0].endpoint.node}/{homes[0].endpoint.interface}"
                remedy = f"{address} is the own address of {owner}; choose an address no interface has"
                return _refuse(vip, Reason.NODE_ADDRESS, remedy)
            if pil := self._declared_own(vip, address):
                message = f"{address} is an interface's own address in PreferredInterfaceList {pil.metadata.name}"
                return _refuse(vip, Reason.NODE_ADDRESS, f"{message}; choose an address no interface has")
            if (keeper := self._keeper[address]) != vip.metadata.name:
                message = f"{address} belongs to VirtualIP {keeper}, which is older or first by name"
                return _refuse(vip, Reason.ADDRESS_IN_USE, f"{message}; choose another address or remove that one")
        return None

    def _declared_own(self, vip: VirtualIP, address: str) -> PreferredInterfaceList | None:
        """A list says that ``address`` is an interface's own. A list newer than the VIP only counts when the VIP uses
        it: else anyone could stop a VIP by writing a list."""
        for pil in self._listed.get(address, ()):
            uses = pil.metadata.name == vip.spec.preferred_interface_list
            if uses or pil.metadata.creation_timestamp <= vip.metadata.creation_timestamp:
                return pil
        return None


def _refuse(vip: VirtualIP, reason: Reason, message: str) -> Refusal:
    return Refusal(vip.kind, vip.metadata.name, reason, message)
