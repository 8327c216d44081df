"""The sets of the gate, and how their keys are laid out.

Key layouts, checked against the kernel by tests/lab/test_kernel_gate.py and test_kernel_ipv6.py: an address is its 4 or
16 bytes in network order, an interface name 16 bytes padded with NUL, a concatenation each part padded to 4 bytes.
"""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vipa_agent.kernel.errors import Unsupported
from vipa_agent.kernel.nfnl import NFPROTO_ARP, NFPROTO_INET, NFPROTO_IPV6, NFPROTO_NETDEV, SetRef

TABLE: Final = "vipa"
IFNAMSIZ: Final = 16


@dataclass(frozen=True, slots=True)
class Elections:
    """Who is elected for the addresses of one family, as one table knows it."""

    elected: SetRef
    steady: SetRef
    vips: SetRef


@dataclass(frozen=True, slots=True)
class Family:
    """The sets of one address family. ``record``: the table whose elections are the agent's memory; ``all`` are
    changed together with it."""

    record: Elections
    all: tuple[Elections, ...]
    guarded: SetRef
    claims: SetRef
    ifaddr: SetRef
    local: SetRef
    out: SetRef


def _elections(family: int, suffix: str = "") -> Elections:
    return Elections(*(SetRef(family, TABLE, name + suffix) for name in ("elected", "steady", "vips")))


def _family(gate: int, suffix: str, egress: str) -> Family:
    """``gate``: family of the table that decides what is answered; ``suffix`` and ``egress``: how its sets are told
    from the other family's in ``inet vipa`` and ``netdev vipa``."""
    record = _elections(gate)
    return Family(
        record,
        (record, _elections(NFPROTO_NETDEV, egress)),
        SetRef(gate, TABLE, "guarded"),
        SetRef(gate, TABLE, "claims"),
        SetRef(gate, TABLE, "ifaddr"),
        SetRef(NFPROTO_INET, TABLE, f"local{suffix}"),
        SetRef(NFPROTO_INET, TABLE, f"out{suffix}"),
    )


IPV4: Final = _family(NFPROTO_ARP, "4", "")
"""Its names are those of versions that knew no other: an upgrade adopts what they elected."""
IPV6: Final = _family(NFPROTO_IPV6, "6", "6")
FAMILIES: Final = (IPV4, IPV6)

GATE_TABLES: Final = {"arp": NFPROTO_ARP, "ip6": NFPROTO_IPV6, "netdev": NFPROTO_NETDEV}
"""The gate's tables: nft name of the family → its number."""
ALIVE: Final = tuple(SetRef(family, TABLE, "alive") for family in GATE_TABLES.values())
"""The permit of an interface is one element in each, changed together."""

BRIDGES: Final = (SetRef(NFPROTO_ARP, TABLE, "bridges"), SetRef(NFPROTO_INET, TABLE, "bridges"))
"""Bridges behind which guests have virtual IPs: the gate leaves their side alone, replies from there are steered."""
BEFORE: Final = SetRef(NFPROTO_ARP, TABLE, "before")
"""Settings that were changed for guests, and what they were."""

OWN: Final = SetRef(NFPROTO_ARP, TABLE, "own")
ARP_NIC: Final = SetRef(NFPROTO_ARP, TABLE, "nic")
NIC: Final = SetRef(NFPROTO_INET, TABLE, "nic")
SWITCHED_ON: Final = SetRef(NFPROTO_INET, TABLE, "switched_on")


def family_of(address: str) -> Family:
    """The sets that an address belongs to."""
    return IPV6 if ":" in address else IPV4


def by_family(addresses: Iterable[str]) -> Iterator[tuple[Family, list[str]]]:
    """The addresses of each family that has any."""
    found: dict[bool, list[str]] = {}
    for address in addresses:
        found.setdefault(":" in address, []).append(address)
    return ((IPV6 if six else IPV4, of_family) for six, of_family in sorted(found.items()))


def address_key(address: str) -> bytes:
    """Key of an address (without prefix length). Raises Unsupported for what is no address."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        raise Unsupported(f"{address!r} is no IP address") from None


def interface_key(interface: str) -> bytes:
    """Key of an interface name. Raises Unsupported when it is too long to be one."""
    raw = interface.encode()
    if not 0 < len(raw) < IFNAMSIZ:
        raise Unsupported(f"interface name {interface!r}: must have 1 to {IFNAMSIZ - 1} bytes")
    return raw.ljust(IFNAMSIZ, b"\0")


def pair_key(address: str, interface: str) -> bytes:
    """Key of ``address . interface``."""
    return address_key(address) + interface_key(interface)


def address_of(key: bytes) -> str:
    """Inverse of :func:`address_key`."""
    return socket.inet_ntop(socket.AF_INET if len(key) == 4 else socket.AF_INET6, key)


def interface_of(key: bytes) -> str:
    """Inverse of :func:`interface_key`."""
    return key.rstrip(b"\0").decode()


def pair_of(key: bytes) -> tuple[str, str]:
    """Inverse of :func:`pair_key`: (address, interface)."""
    return address_of(key[:-IFNAMSIZ]), interface_of(key[-IFNAMSIZ:])
