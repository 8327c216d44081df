"""Other programs that manage addresses here."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vipa_cli.check.finding import Finding, ok, warn
from vipa_cli.check.netmanager import network_manager
from vipa_cli.check.networkd import networkd

_SAME: Final = "two programs that announce one address take it from each other, again and again"
_CHECK: Final = "other managers"

# By command name (proc(5): at most 15 characters): what would be right, and what happens.
_MANAGERS: Final = {
    "keepalived": ("it must not have the same addresses; end it when vipa takes them over", _SAME),
    "ucarp": ("it must not have the same addresses; end it when vipa takes them over", _SAME),
    "kube-vip": ("it must not have the same addresses; give each its own range", _SAME),
    "speaker": ("looks like MetalLB: give each its own range, and set loadBalancerClass", _SAME),
    "corosync": ("if Pacemaker has IPaddr2 resources: not for the same addresses", _SAME),
    "dhcpcd": (
        "in /etc/dhcpcd.conf: denyinterfaces, or fixed addresses for the service interfaces",
        "at a renewal it may drop an adapter's own address, and with it what hangs on that",
    ),
    "dhclient": (
        "give the service interfaces fixed addresses",
        "at a renewal it may flush the interface, virtual IPs included",
    ),
}


def commands(proc: Path = Path("/proc")) -> set[str]:
    """Names of the programs in this network namespace, and of those that do not let us see in which they are."""
    found = set()
    here = os.readlink(proc / "thread-self/ns/net")
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "comm").read_text().strip()
        except OSError:
            continue  # it ended meanwhile
        try:
            is_elsewhere = os.readlink(entry / "ns/net") != here
        except OSError:
            is_elsewhere = False  # another user's
        if not is_elsewhere:
            found.add(name)
    return found


def managers(running: set[str], root: Path, nics: Mapping[str, str]) -> list[Finding]:
    """``nics``: MAC by name of the interfaces that are to serve; configuration is read below ``root``."""
    found = [
        warn(_CHECK, f"{name} runs here", remedy, effect)
        for name, (remedy, effect) in _MANAGERS.items()
        if name in running
    ]
    if "NetworkManager" in running:
        found += network_manager(root, nics)
    if "systemd-network" in running:  # cut to 15 characters by the kernel
        found += networkd(root, nics)
    return found or [ok(_CHECK, "no other program that manages addresses runs")]
