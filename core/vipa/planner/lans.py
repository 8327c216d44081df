"""Which interfaces are on which LAN: an index from subnets to endpoints, so that a VIP finds its LAN without looking at
every node."""

from typing import NamedTuple

from vipa.plan import Endpoint
from vipa.planner.world import NodeView, World
from vipa.resources.addresses import AddressError, IPAddress, parse_own

NetworkKey = tuple[int, int, int]
"""(IP version, prefix length, network address as a number)."""


Place = tuple[str, str]
"""(node, interface)."""


class Home(NamedTuple):
    """Where an endpoint lives."""

    endpoint: Endpoint
    node: NodeView


class Lans:
    """The index. ``own`` maps every declared own address to its homes; link-local ones are on every LAN and left out.

    Homes are in the order of (address as a number, node, interface, prefix length), whatever the order of the world.
    An address can have several: every node has the same one on its inner bridge.
    """

    def __init__(self, world: World) -> None:
        self.own: dict[str, list[Home]] = {}
        self.by_name: dict[str, NodeView] = {}
        self._networks: dict[NetworkKey, list[Home]] = {}
        self._lengths: set[tuple[int, int]] = set()
        for number, home, version, length in sorted(_declared(world), key=lambda d: (d[2], d[0], d[1].endpoint, d[3])):
            self.own.setdefault(home.endpoint.address, []).append(home)
            self._lengths.add((version, length))
            self._networks.setdefault((version, length, _network(number, version, length)), []).append(home)
        for node in sorted(world.nodes, key=lambda n: n.name):
            self.by_name.setdefault(node.name, node)

    def of(self, address: IPAddress) -> tuple[NetworkKey, ...]:
        """The declared subnets that hold ``address``, longest prefix first; empty where no node is on its LAN."""
        number, version = int(address), address.version
        keys = ((v, n, _network(number, v, n)) for v, n in self._lengths if v == version)
        return tuple(sorted((k for k in keys if k in self._networks), reverse=True))

    def homes(self, lan: tuple[NetworkKey, ...]) -> list[Home]:
        """The endpoints on ``lan`` (from :meth:`of`), one for each interface: its first address there."""
        found = sorted((h for key in lan for h in self._networks[key]), key=lambda h: _order(h.endpoint))
        seen: set[object] = set()
        homes = []
        for home in found:
            place = (home.endpoint.node, home.endpoint.interface)
            if place not in seen and home.endpoint.address not in seen:
                seen.update((place, home.endpoint.address))
                homes.append(home)
        return homes

    def places(self, lan: tuple[NetworkKey, ...]) -> frozenset[Place]:
        """(node, interface) of whatever has an own address on ``lan``."""
        return frozenset((h.endpoint.node, h.endpoint.interface) for key in lan for h in self._networks[key])

    def holds(self, lan: tuple[NetworkKey, ...], home: Home) -> bool:
        """Whether the address of ``home`` is on ``lan``."""
        return any(home in self._networks[key] for key in lan)


def edge_of(address: IPAddress, lan: tuple[NetworkKey, ...]) -> str:
    """Why ``address`` can be no host of ``lan``: it is the network or broadcast address of a subnet; or empty."""
    if address.version == 6:
        anycast = any(length < 127 and int(address) == network for _, length, network in lan)
        # RFC 4291 section 2.6.1; RFC 6164 takes it back for a /127.
        return f"{address} is the address of any router of its LAN's subnet" if anycast else ""
    for _, length, network in lan:
        size = 1 << (32 - length)
        if size > 2 and int(address) in (network, network + size - 1):  # RFC 3021: a /31 has no such addresses
            what = "network" if int(address) == network else "broadcast"
            return f"{address} is the {what} address of its LAN's subnet, prefix length {length}"
    return ""


def _declared(world: World) -> list[tuple[int, Home, int, int]]:
    found: list[tuple[int, Home, int, int]] = []
    for node in world.nodes:
        for interface in node.interfaces:
            for text in interface.addresses:
                try:
                    address, length = parse_own(text)
                except AddressError:  # refused where it was read; here it must not disturb the rest
                    continue
                if not address.is_link_local:
                    home = Home(Endpoint(str(address), node.name, interface.name), node)
                    found.append((int(address), home, address.version, length))
    return found


def _network(number: int, version: int, length: int) -> int:
    host_bits = (32 if version == 4 else 128) - length
    return number >> host_bits << host_bits


def _order(endpoint: Endpoint) -> tuple[int, str, str, str]:
    return len(endpoint.address), endpoint.address, endpoint.node, endpoint.interface
