"""The networks of a router's own interfaces: beyond which of them an address is. Pure."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface

from vipa.election.events import LocalInterface

Addresses = Mapping[str, tuple[str, ...]]
"""Own addresses with prefix length, by interface."""


class Lans:
    """Asked about the same few addresses again and again, so it remembers what it answered."""

    def __init__(self, addresses: Addresses) -> None:
        self._networks = [(name, ip_interface(own).network) for name, all_ in addresses.items() for own in all_]
        self._found: dict[str, tuple[str, ...]] = {}

    def beyond(self, address: str) -> tuple[str, ...]:
        """Interfaces on whose network ``address`` is, sorted; none: it is not next to this router."""
        found = self._found.get(address)
        if found is None:
            wanted = ip_address(address)
            found = tuple(sorted({name for name, network in self._networks if wanted in network}))
            self._found[address] = found
        return found


def remembered(
    known: Addresses, interfaces: Iterable[LocalInterface], names: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Addresses of the interfaces ``names``. One that is gone, or has none while it is down, keeps those it was
    ``known`` by: what was beyond it is not elsewhere now."""
    now = {interface.name: interface.addresses for interface in interfaces}
    found = {name: now.get(name) or known.get(name, ()) for name in names}
    return {name: addresses for name, addresses in found.items() if addresses}
