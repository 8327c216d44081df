"""Which interfaces need a firewall mark, and which one; pure.

A mark steers replies (and the reverse-path check) to the interface they belong to. Where a node has one interface on a
LAN nothing needs steering, so nothing is marked. Marks are shared with kube-proxy (0x4000, 0x8000) and CNIs: ours live
in a mask of their own.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

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
