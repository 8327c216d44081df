"""The sets of the gate, and how their keys are laid out. A second address family adds tables and sets here.

Key layouts, checked against the kernel by tests/lab/test_kernel_gate.py: an IPv4 address is 4 bytes in network order,
an interface name 16 bytes padded with NUL, a concatenation each part padded to 4 bytes.
"""

import socket
from dataclasses import dataclass
from typing import Final

from vipa_agent.kernel.errors import Unsupported
from vipa_agent.kernel.nfnl import NFPROTO_ARP, NFPROTO_INET, NFPROTO_NETDEV, SetRef

TABLE: Final = "vipa"
IFNAMSIZ: Final = 16


@dataclass(frozen=True, slots=True)
class GateTable:
    """A table whose answer depends on the election: it has its own alive, elected, steady and vips."""

    alive: SetRef
    elected: SetRef
    steady: SetRef
    vips: SetRef


def _gate_table(family: int) -> GateTable:
    return GateTable(*(SetRef(family, TABLE, name) for name in ("alive", "elected", "steady", "vips")))


ARP: Final = _gate_table(NFPROTO_ARP)
EGRESS: Final = _gate_table(NFPROTO_NETDEV)
GATE_TABLES: Final = (ARP, EGRESS)

OWN: Final = SetRef(NFPROTO_ARP, TABLE, "own")
GUARDED: Final = SetRef(NFPROTO_ARP, TABLE, "guarded")
CLAIMS: Final = SetRef(NFPROTO_ARP, TABLE, "claims")
IFADDR: Final = SetRef(NFPROTO_ARP, TABLE, "ifaddr")
ARP_NIC: Final = SetRef(NFPROTO_ARP, TABLE, "nic")

NIC: Final = SetRef(NFPROTO_INET, TABLE, "nic")
LOCAL4: Final = SetRef(NFPROTO_INET, TABLE, "local4")
OUT4: Final = SetRef(NFPROTO_INET, TABLE, "out4")
SWITCHED_ON: Final = SetRef(NFPROTO_INET, TABLE, "switched_on")


def address_key(address: str) -> bytes:
    """Key of an address (without prefix length). Raises Unsupported for what is not IPv4."""
    try:
        return socket.inet_pton(socket.AF_INET, address)
    except OSError:
        raise Unsupported(
            f"{address}: this build gates IPv4 addresses only; give the virtual IP an IPv4 address"
        ) from None


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
    return socket.inet_ntop(socket.AF_INET, key)


def interface_of(key: bytes) -> str:
    """Inverse of :func:`interface_key`."""
    return key.rstrip(b"\0").decode()


def pair_of(key: bytes) -> tuple[str, str]:
    """Inverse of :func:`pair_key`: (address, interface)."""
    return address_of(key[:-IFNAMSIZ]), interface_of(key[-IFNAMSIZ:])
