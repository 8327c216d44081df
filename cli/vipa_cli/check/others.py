"""Other programs that manage addresses, or use marks."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa_agent.kernel.marks import DEFAULT_MASK
from vipa_agent.kernel.routes import RULE_BASE
from vipa_cli.check.finding import Finding, ok, warn

_NETWORKD_DIRS: Final = (Path("/etc/systemd"), Path("/run/systemd"), Path("/usr/lib/systemd"))
_FOREIGN: Final = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
_NO: Final = ("no", "false", "0", "off")

# By command name (proc(5): at most 15 characters).
_MANAGERS: Final = {
    "NetworkManager": "it may remove what it did not add: mark the service interfaces unmanaged, or test a reload",
    "keepalived": "it must not have the same addresses; end it when vipa takes them over",
    "ucarp": "it must not have the same addresses; end it when vipa takes them over",
    "kube-vip": "it must not have the same addresses; give each its own range",
    "speaker": "looks like MetalLB: give each its own range, and set loadBalancerClass",
    "dhcpcd": "it may drop addresses at a renewal: deny the service interfaces, or give them fixed addresses",
    "dhclient": "it may flush the interface at a renewal: give the service interfaces fixed addresses",
}


@dataclass(frozen=True, slots=True)
class MarkRule:
    """One policy routing rule that looks at firewall marks."""

    priority: int
    mark: int
    mask: int


def commands(proc: Path = Path("/proc")) -> set[str]:
    """Names of the programs in this network namespace, and of those that do not let us see in which they are."""
    found = set()
    here = os.readlink(proc / "self/ns/net")
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


def managers(running: set[str], networkd_conf: str) -> list[Finding]:
    """``networkd_conf``: the text of all networkd.conf files, the weightiest last."""
    found = [warn(name, f"{name} runs here", remedy) for name, remedy in _MANAGERS.items() if name in running]
    if "systemd-network" in running:  # cut to 15 characters by the kernel
        found.append(_networkd(networkd_conf))
    return found or [ok("other managers", "no other program that manages addresses runs")]


def networkd_conf(dirs: Sequence[Path] = _NETWORKD_DIRS) -> str:
    """All that configures systemd-networkd as a whole; files that cannot be read say nothing."""
    # systemd.syntax(5): the main file, then drop-ins sorted by name; /etc last here, since the last word counts.
    texts = []
    for folder in reversed(dirs):
        for path in (folder / "networkd.conf", *sorted((folder / "networkd.conf.d").glob("*.conf"))):
            try:
                texts.append(path.read_text())
            except OSError:
                continue
    return "\n".join(texts)


def _networkd(conf: str) -> Finding:
    values: dict[str, str] = {}
    for line in conf.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            values[key.strip()] = value.strip().lower()
    managed = [key for key in _FOREIGN if values.get(key, "yes") not in _NO]
    if managed:
        found = "systemd-networkd removes routes and rules of others when it reloads (systemd issue 12050)"
        remedy = f"in /etc/systemd/networkd.conf, [Network]: {', '.join(f'{key}=no' for key in managed)}"
        return warn("systemd-networkd", found, remedy)
    return ok("systemd-networkd", "leaves the routes and rules of others alone")


def marks(rules: Iterable[MarkRule]) -> Finding:
    """Do other rules look at the bits of the mark that the agent uses?"""
    foreign = [rule for rule in rules if not _is_ours(rule) and rule.mask & DEFAULT_MASK]
    if foreign:
        listed = ", ".join(f"{rule.mark:#x}/{rule.mask:#x} (priority {rule.priority})" for rule in foreign)
        remedy = f"vipa uses the bits {DEFAULT_MASK:#x}: narrow the mask of that rule"
        return warn("firewall marks", f"other rules look at vipa's bits: {listed}", remedy)
    return ok("firewall marks", f"nobody else's rules look at the bits {DEFAULT_MASK:#x}")


def _is_ours(rule: MarkRule) -> bool:
    # One rule per steered interface from RULE_BASE on, one mark of the mask each (vipa_agent.kernel.routes).
    return rule.mask == DEFAULT_MASK and RULE_BASE <= rule.priority < RULE_BASE + 16
