"""Which interfaces need a firewall mark, and which one; pure.

A mark steers replies (and the reverse-path check) to the interface they belong to. Where a node has one interface on a
LAN nothing needs steering, so nothing is marked. Marks are shared with kube-proxy (0x4000, 0x8000) and CNIs: ours live
in a mask of their own.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vipa.election.events import LocalInterface
from vipa_agent.kernel.errors import Unsupported

DEFAULT_MASK: Final = 0x00F00000
"""16 values, so up to 15 marked interfaces; outside kube-proxy's bits and the low bytes CNIs use."""


def shared_lans(own: Iterable[tuple[str, str]]) -> set[str]:
    """Interfaces that share a LAN with another one; ``own`` holds (interface, own address with prefix length)."""
    networks = [(name, ipaddress.ip_interface(address).network) for name, address in own]
    return {
        name
        for name, network in networks
        for other, network2 in networks
        if name != other and network.version == network2.version and network.overlaps(network2)
    }


def gateways(
    own: Iterable[tuple[str, str]], links: Sequence[LocalInterface], version: int
) -> dict[str, tuple[str, ...]]:
    """Gateways of each interface of ``own``, which holds (interface, own address with prefix length), for this IP
    version.

    Those of its own default routes; else those of another interface on its LAN: a node mostly has one default route,
    and remote clients that came in elsewhere are to be answered there.
    """
    of = {link.name: tuple(g for g in link.gateways if ("." if version == 4 else ":") in g) for link in links}
    networks: dict[str, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {}
    for name, address in own:
        networks.setdefault(name, []).append(ipaddress.ip_interface(address).network)
    found: dict[str, tuple[str, ...]] = {}
    for name, here in networks.items():
        mates = [other for other, there in networks.items() if other != name and set(here) & set(there)]
        lent = [g for mate in mates for g in of.get(mate, ()) if _on_link(g, here)]
        found[name] = of.get(name, ()) or tuple(lent)
    return found


def _on_link(gateway: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    address = ipaddress.ip_address(gateway)
    return address.is_link_local or any(address in network for network in networks)


def slots(wanted: Iterable[str], present: Mapping[str, int], mask: int) -> dict[str, int]:
    """Slot (1…) of every wanted interface. Slots given before stay, so that a restart changes nothing on the way of
    live connections. Raises Unsupported when the mask holds too few values."""
    names = sorted(set(wanted))
    given = {name: present[name] for name in names if name in present}
    free = iter(sorted(set(range(1, limit(mask) + 1)) - set(given.values())))
    for name in names:
        if name not in given:
            slot = next(free, None)
            if slot is None:
                raise Unsupported(
                    f"mark mask {mask:#x} has room for {limit(mask)} interfaces, {len(names)} need one: widen the mask"
                )
            given[name] = slot
    return given


def limit(mask: int) -> int:
    """Highest slot a mask can hold. Raises Unsupported unless its bits are adjacent and at least one."""
    if not 0 < mask <= 0xFFFFFFFF or (mask // (mask & -mask) + 1) & (mask // (mask & -mask)):
        raise Unsupported(f"mark mask {mask:#x}: must be adjacent bits of a 32-bit word, such as {DEFAULT_MASK:#x}")
    return mask // (mask & -mask)


def mark_of(slot: int, mask: int) -> int:
    """The mark of a slot: its number in the bits of the mask."""
    return slot * (mask & -mask)
