"""Settings of the kernel that change who answers ARP, or take addresses away."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from pathlib import Path
from typing import Final

from vipa_cli.check.finding import Finding, fail, ok, warn
from vipa_cli.check.machine import by_network

CONF4: Final = Path("/proc/sys/net/ipv4/conf")
CONF6: Final = Path("/proc/sys/net/ipv6/conf")
_SETTINGS: Final = (
    "arp_ignore",
    "arp_filter",
    "rp_filter",
    "promote_secondaries",
    "arp_announce",
    "drop_gratuitous_arp",
)
_SETTINGS6: Final = ("disable_ipv6", "accept_dad", "forwarding", "accept_ra", "drop_unsolicited_na")
Values = Mapping[str, Mapping[str, int]]
"""Value of each setting by interface, "all" and "default" among them; empty where the kernel has no such protocol."""


def read() -> Values:
    """IPv4's."""
    return _read(CONF4, _SETTINGS)


def read6() -> Values:
    """IPv6's."""
    return _read(CONF6, _SETTINGS6)


def _read(conf: Path, names: Sequence[str]) -> Values:
    found: dict[str, dict[str, int]] = {}
    for folder in sorted(conf.iterdir()) if conf.is_dir() else ():
        try:
            found[folder.name] = {name: int((folder / name).read_text()) for name in names if (folder / name).exists()}
        except FileNotFoundError:
            continue  # the interface has gone meanwhile
    return found


def judge4(values: Values, addresses: Mapping[str, Sequence[str]]) -> list[Finding]:
    """``addresses``: own ones, "10.1.1.4/24" style, by interface; only interfaces with any are judged."""
    everywhere = values["all"]
    nics = [name for name in values if name not in ("all", "default", "lo") and addresses.get(name)]

    def highest(setting: str) -> dict[str, int]:
        # include/linux/inetdevice.h: IN_DEV_MAXCONF, and IN_DEV_ORCONF where there are but 0 and 1.
        return {n: max(values[n].get(setting, 0), everywhere.get(setting, 0)) for n in nics}

    return [
        _arp_ignore(highest("arp_ignore")),
        _arp_filter(highest("arp_filter"), addresses),
        _rp_filter(highest("rp_filter")),
        _promote(highest("promote_secondaries"), addresses),
        _heeds_moves("drop_gratuitous_arp", "ipv4", highest("drop_gratuitous_arp")),
    ]


def judge6(
    values: Values, nics: Sequence[str], own6: Mapping[str, Sequence[str]], advertised: Sequence[str], *, wanted: bool
) -> list[Finding]:
    """``nics``: interfaces that are to serve; ``own6``: own IPv6 addresses by interface; ``advertised``: interfaces
    whose default route a router advertised; ``wanted``: there are IPv6 virtual IPs."""
    nics = [name for name in nics if name in values]
    found = [_disabled(values, nics, wanted=wanted)]
    if not values:
        return found
    everywhere = values["all"]
    strict = [n for n in nics if max(values[n]["accept_dad"], everywhere["accept_dad"]) >= 2 and own6.get(n)]
    if strict and wanted:
        found.append(
            warn(
                "accept_dad",
                f"2 on {', '.join(strict)}",
                "set net.ipv6.conf.*.accept_dad=1",
                "when another station claims the adapter's link-local address, the kernel switches IPv6 off there, and "
                "all IPv6 virtual IPs are gone from it",
            )
        )
    # Documentation/networking/ip-sysctl.rst: accept_ra 1 does not hold while forwarding.
    lost = [n for n in advertised if n in values and values[n]["forwarding"] and values[n]["accept_ra"] != 2]
    if lost:
        found.append(
            warn(
                "accept_ra",
                f"the IPv6 default route on {', '.join(lost)} was advertised, and forwarding is on there",
                "; ".join(f"set net.ipv6.conf.{n}.accept_ra=2" for n in lost),
                "the kernel no longer heeds advertisements: the route ends with its lifetime, and with it replies to "
                "clients beyond the router",
            )
        )
    deaf = {n: max(values[n].get("drop_unsolicited_na", 0), everywhere.get("drop_unsolicited_na", 0)) for n in nics}
    if any(deaf[n] for n in own6 if n in deaf):
        found.append(_heeds_moves("drop_unsolicited_na", "ipv6", {n: v for n, v in deaf.items() if n in own6}))
    return found


def _arp_ignore(by_nic: Mapping[str, int]) -> Finding:
    # Documentation/networking/ip-sysctl.rst: 3 leaves out addresses of scope host, as virtual IPs are; 4-7 are reserved
    # and mean 0; 8 answers nothing. 2 wants asker and address in one subnet of the interface (net/ipv4/devinet.c,
    # confirm_addr_indev), which may be that of its own address.
    deaf = {name: value for name, value in by_nic.items() if value == 3 or value >= 8}
    remedy = "set net.ipv4.conf.*.arp_ignore=1 (or 0), also in /etc/sysctl.d"
    if deaf:
        found = ", ".join(f"{value} on {name}" for name, value in deaf.items())
        return fail("arp_ignore", found, remedy, "the kernel never answers for a virtual IP on that adapter")
    if strict := [name for name, value in by_nic.items() if value == 2]:
        effect = "the kernel answers only askers in the adapter's own subnet, so no others of a LAN with several"
        return warn("arp_ignore", f"2 on {', '.join(strict)}", remedy, effect)
    return ok("arp_ignore", "answers on the interface that has the address, or on any")


def _arp_filter(by_nic: Mapping[str, int], addresses: Mapping[str, Sequence[str]]) -> Finding:
    filtered = {name for name, value in by_nic.items() if value}
    shared = sorted(filtered & _sharing(addresses))
    if shared:
        return fail(
            "arp_filter",
            f"on for {', '.join(shared)}, which share a LAN",
            "set net.ipv4.conf.*.arp_filter=0, also in /etc/sysctl.d",
            "the kernel answers only on the adapter it would reply by, so only one of them can ever serve",
        )
    return ok("arp_filter", "on, on interfaces of one LAN each" if filtered else "off")


def _rp_filter(by_nic: Mapping[str, int]) -> Finding:
    strict = [name for name, value in by_nic.items() if value == 1]
    if strict:
        return ok("rp_filter", f"strict on {', '.join(strict)}: the agent marks its packets and sets src_valid_mark")
    return ok("rp_filter", "not strict")


def _promote(by_nic: Mapping[str, int], addresses: Mapping[str, Sequence[str]]) -> Finding:
    at_risk = [name for name, value in by_nic.items() if not value and _has_secondary(addresses[name])]
    if at_risk:
        return warn(
            "promote_secondaries",
            f"off on {', '.join(at_risk)}, with several addresses of one subnet",
            "set net.ipv4.conf.*.promote_secondaries=1, also in /etc/sysctl.d",
            "removing the first address, as a DHCP renewal may, takes the others of that subnet away too",
        )
    return ok("promote_secondaries", "no address hangs on another, or others stay when it goes")


def _heeds_moves(setting: str, protocol: str, by_nic: Mapping[str, int]) -> Finding:
    deaf = sorted(name for name, value in by_nic.items() if value)
    if deaf:
        return warn(
            setting,
            f"on for {', '.join(deaf)}",
            f"set net.{protocol}.conf.*.{setting}=0",
            "this machine itself, as a client of virtual IPs elsewhere, does not heed announcements: after a failover "
            "it sends to the old adapter until its entry ages",
        )
    return ok(setting, "off: announcements of others are heeded")


def _disabled(values: Values, nics: Sequence[str], *, wanted: bool) -> Finding:
    off = [name for name in nics if values[name]["disable_ipv6"]]
    if not values:
        found = "this kernel runs without IPv6"
    elif off:
        found = f"IPv6 is off on {', '.join(off)}"
    else:
        return ok("disable_ipv6", "IPv6 is on")
    if not wanted:
        return ok("disable_ipv6", f"{found}; no IPv6 virtual IP is known that would need it")
    remedy = "set net.ipv6.conf.*.disable_ipv6=0" if values else "boot without ipv6.disable=1"
    return fail("disable_ipv6", found, remedy, "no IPv6 virtual IP can be bound there")


def _has_secondary(addresses: Sequence[str]) -> bool:
    networks = [ip_interface(address).network for address in addresses]
    return len(set(networks)) < len(networks)


def _sharing(addresses: Mapping[str, Sequence[str]]) -> set[str]:
    """Interfaces whose LAN another one is on too."""
    return {name for names in by_network(addresses).values() if len(names) > 1 for name in names}
