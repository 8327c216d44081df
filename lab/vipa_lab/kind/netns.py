"""A container's network seen from the host: its adapters, where their cables end, and what is bound in it.

Everything goes through the network namespace of a process of the container, so it works for a paused container too,
into which ``docker exec`` cannot go.
"""

import json
import subprocess
from typing import Any, Final

import msgspec

from vipa_agent.kernel.routes import RULE_BASE
from vipa_agent.kernel.rtnl import VIPA_PROTOCOL
from vipa_agent.kernel.sets import TABLE
from vipa_lab.errors import LabError

# What runs here are single looks at the kernel; a busy 2-core machine was seen to take seconds for one.
_TIMEOUT_S: Final = 30.0
# vipa_agent.kernel.routes: five places from RULE_BASE on.
_RULES: Final = range(RULE_BASE, RULE_BASE + 5)


class Adapter(msgspec.Struct, frozen=True):
    """``index``: its number inside. ``addresses``: IPv4, without prefix length. ``port``: the interface of this host
    at the other end of its cable, ``bridge`` what that is a port of; "" where there is none here."""

    name: str
    index: int
    mac: str
    addresses: tuple[str, ...]
    port: str
    bridge: str


def run(*argv: str, timeout_s: float = _TIMEOUT_S) -> str:
    """Run a program to its end and give back its standard output; LabError with its words when it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(argv)}: no end within {timeout_s:g} s") from None
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def inside(pid: int) -> list[str]:
    """The words before a command that make it run in the network of this process."""
    return ["nsenter", f"--net=/proc/{pid}/ns/net", "--"]


def adapters(pid: int) -> list[Adapter]:
    """Every adapter of the network of this process, without the loopback."""
    found = _links(*inside(pid))
    ports = {(link["ifindex"], link.get("link_index")): link for link in _links()}
    ends = [ports.get((link.get("link_index"), link["ifindex"]), {}) for link in found]
    return [
        Adapter(
            name=link["ifname"],
            index=link["ifindex"],
            mac=link.get("address", ""),
            addresses=tuple(entry["local"] for entry in link["addr_info"] if entry.get("family") == "inet"),
            port=end.get("ifname", ""),
            bridge=end.get("master", ""),
        )
        for link, end in zip(found, ends, strict=True)
        if link["link_type"] != "loopback"
    ]


def leftovers(pid: int) -> list[str]:
    """What of vipa is in a node's kernel: virtual IPs, policy rules, routes, nft tables."""
    virtual_ips = [
        f"{entry['local']} on {link['ifname']}"
        for link in _links(*inside(pid))
        for entry in link["addr_info"]
        if entry["scope"] == "host" and link["link_type"] != "loopback"
    ]
    rules = [line for line in run(*inside(pid), "ip", "rule").splitlines() if int(line.partition(":")[0]) in _RULES]
    routes = run(*inside(pid), "ip", "route", "show", "table", "all", "proto", str(VIPA_PROTOCOL)).splitlines()
    tables = [line for line in run(*inside(pid), "nft", "list", "tables").splitlines() if line.split()[-1] == TABLE]
    return virtual_ips + rules + routes + tables


def bound(pid: int, address: str) -> list[str]:
    """Interfaces in the network of this process that have the address."""
    return [adapter.name for adapter in adapters(pid) if address in adapter.addresses]


def _links(*before: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*before, "ip", "-j", "addr", "show"))
    return found
