"""Settings of the kernel that change who answers ARP, or take addresses away."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from vipa_cli.check.finding import Finding, fail, ok, warn

_CONF: Final = Path("/proc/sys/net/ipv4/conf")
_SETTINGS: Final = ("arp_ignore", "arp_filter", "rp_filter", "promote_secondaries")


def read(conf: Path = _CONF) -> dict[str, dict[str, int]]:
    """Value of each setting by interface, "all" and "default" among them."""
    found: dict[str, dict[str, int]] = {}
    for folder in sorted(conf.iterdir()):
        found[folder.name] = {name: int((folder / name).read_text()) for name in _SETTINGS}
    return found


def sysctls(values: Mapping[str, Mapping[str, int]], addresses: Mapping[str, Sequence[str]]) -> list[Finding]:
    """``addresses``: "10.1.1.4/24" style, by interface; only interfaces with any are judged."""
    everywhere = values["all"]
    nics = [name for name in values if name not in ("all", "default", "lo") and addresses.get(name)]
    return [
        _arp_ignore({name: max(values[name]["arp_ignore"], everywhere["arp_ignore"]) for name in nics}),
        _arp_filter({name: values[name]["arp_filter"] | everywhere["arp_filter"] for name in nics}, addresses),
        _rp_filter({name: max(values[name]["rp_filter"], everywhere["rp_filter"]) for name in nics}),
        _promote({n: values[n]["promote_secondaries"] | everywhere["promote_secondaries"] for n in nics}, addresses),
    ]


def _arp_ignore(by_nic: Mapping[str, int]) -> Finding:
    # Documentation/networking/ip-sysctl.rst: 3 is about host-scope addresses, 4-7 are reserved, 8 answers nothing.
    deaf = [name for name, value in by_nic.items() if value >= 8]
    if deaf:
        return fail("arp_ignore", f"8 on {', '.join(deaf)}: nothing is answered", "set net.ipv4.conf.*.arp_ignore=1")
    strict = [name for name, value in by_nic.items() if value == 2]
    if strict:
        found = f"2 on {', '.join(strict)}: only askers in the interface's own subnet get an answer"
        return warn("arp_ignore", found, "fine if all clients are in it; else set net.ipv4.conf.*.arp_ignore=1")
    return ok("arp_ignore", "answers on the interface that has the address, or on any")


def _arp_filter(by_nic: Mapping[str, int], addresses: Mapping[str, Sequence[str]]) -> Finding:
    filtered = {name for name, value in by_nic.items() if value}
    shared = sorted(filtered & _sharing(addresses))
    if shared:
        found = f"on for {', '.join(shared)}, which share a LAN: only one of them would ever answer"
        return fail("arp_filter", found, "set net.ipv4.conf.*.arp_filter=0")
    return ok("arp_filter", "on, on interfaces of one LAN each" if filtered else "off")


def _rp_filter(by_nic: Mapping[str, int]) -> Finding:
    strict = [name for name, value in by_nic.items() if value == 1]
    if strict:
        return ok("rp_filter", f"strict on {', '.join(strict)}: the agent marks its packets and sets src_valid_mark")
    return ok("rp_filter", "not strict")


def _promote(by_nic: Mapping[str, int], addresses: Mapping[str, Sequence[str]]) -> Finding:
    at_risk = [name for name, value in by_nic.items() if not value and _has_secondary(addresses[name])]
    if at_risk:
        found = f"off on {', '.join(at_risk)}: removing its first address takes the others of that subnet away too"
        return warn("promote_secondaries", found, "set net.ipv4.conf.*.promote_secondaries=1")
    return ok("promote_secondaries", "no address hangs on another, or others stay when it goes")


def _has_secondary(addresses: Sequence[str]) -> bool:
    networks = [ip_interface(address).network for address in addresses]
    return len(set(networks)) < len(networks)


def _sharing(addresses: Mapping[str, Sequence[str]]) -> set[str]:
    """Interfaces whose LAN another one is on too."""
    by_network: dict[object, set[str]] = {}
    for name, own in addresses.items():
        for address in own:
            by_network.setdefault(ip_interface(address).network, set()).add(name)
    return {name for names in by_network.values() if len(names) > 1 for name in names}
