"""What two objects can dispute: an address. Decided by age and name alone, so that a newcomer disturbs nobody."""

from collections.abc import Iterator
from typing import TypeVar

from vipa.plan import Refusal
from vipa.planner.lans import Lans
from vipa.reasons import Reason
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.virtualip import VirtualIP

T = TypeVar("T")


def age(obj: VirtualIP | PreferredInterfaceList) -> tuple[str, str]:
    """Sorts older before newer, then by name. Kubernetes writes creation times in one form, so text order is time
    order; objects of a folder have none and count as equally old."""
    return obj.metadata.creation_timestamp, obj.metadata.name


class Addresses:
    """Who may have which address. Objects come and go one by one.

    They are valid by themselves: an invalid VIP holds no address; one that is only short of candidates does, or its
    address would change hands back and forth.
    """

    def __init__(self) -> None:
        self._claims: dict[str, dict[str, VirtualIP]] = {}
        self._listed: dict[str, dict[str, PreferredInterfaceList]] = {}

    def add(self, obj: VirtualIP | PreferredInterfaceList) -> None:
        """``obj`` claims its addresses, or says that they are interfaces' own."""
        if isinstance(obj, VirtualIP):
            for address in obj.spec.addresses:
                self._claims.setdefault(address, {})[obj.metadata.name] = obj
        else:
            for address in listed_by(obj):
                self._listed.setdefault(address, {})[obj.metadata.name] = obj

    def remove(self, obj: VirtualIP | PreferredInterfaceList) -> None:
        """The opposite of :meth:`add`, with the same object."""
        if isinstance(obj, VirtualIP):
            for address in obj.spec.addresses:
                _drop(self._claims, address, obj.metadata.name)
        else:
            for address in listed_by(obj):
                _drop(self._listed, address, obj.metadata.name)

    def claimants(self, address: str) -> Iterator[str]:
        """Names of the VIPs that want ``address``."""
        return iter(self._claims.get(address, ()))

    def lists(self, address: str) -> Iterator[str]:
        """Names of the lists that have ``address`` as an interface's own."""
        return iter(self._listed.get(address, ()))

    def dispute(self, vip: VirtualIP, lans: Lans) -> Refusal | None:
        """Why ``vip``, which was added, may not have one of its addresses, or None."""
        for address in vip.spec.addresses:
            if homes := lans.own.get(address):
                owner = f"{homes[0].endpoint.node}/{homes[0].endpoint.interface}"
                remedy = f"{address} is the own address of {owner}; choose an address no interface has"
                return _refuse(vip, Reason.NODE_ADDRESS, remedy)
            if pil := self._declared_own(vip, address):
                message = f"{address} is an interface's own address in PreferredInterfaceList {pil.metadata.name}"
                return _refuse(vip, Reason.NODE_ADDRESS, f"{message}; choose an address no interface has")
            keeper = min(self._claims[address].values(), key=age).metadata.name
            if keeper != vip.metadata.name:
                message = f"{address} belongs to VirtualIP {keeper}, which is older or first by name"
                return _refuse(vip, Reason.ADDRESS_IN_USE, f"{message}; choose another address or remove that one")
        return None

    def _declared_own(self, vip: VirtualIP, address: str) -> PreferredInterfaceList | None:
        """A list says that ``address`` is an interface's own. A list newer than the VIP only counts when the VIP uses
        it: else anyone could stop a VIP by writing a list."""
        for pil in sorted(self._listed.get(address, {}).values(), key=age):
            uses = pil.metadata.name == vip.spec.preferred_interface_list
            if uses or pil.metadata.creation_timestamp <= vip.metadata.creation_timestamp:
                return pil
        return None


def listed_by(pil: PreferredInterfaceList) -> frozenset[str]:
    """The addresses that ``pil`` says are interfaces' own."""
    return frozenset(entry.address for entry in pil.spec.interfaces if entry.address)


def _drop(index: dict[str, dict[str, T]], key: str, name: str) -> None:
    index[key].pop(name)
    if not index[key]:
        del index[key]


def _refuse(vip: VirtualIP, reason: Reason, message: str) -> Refusal:
    return Refusal(vip.kind, vip.metadata.name, reason, message)
