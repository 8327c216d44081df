"""Adapters: cables, sizes, MACs, addresses that are there twice. Pure."""

from collections.abc import Collection, Iterator
from ipaddress import ip_interface
from itertools import combinations

from vipa_cli.check.finding import Finding, fail, ok, warn
from vipa_cli.check.machine import IPVS_LINK, Link, Machine, by_network


def adapters(machine: Machine, service: Collection[str]) -> list[Finding]:
    """``service``: the interfaces that are to serve, by manifests; empty when that is not known, then all with an
    address are."""
    links = {link.name: link for link in machine.lan_links()}
    own = {name for version in (4, 6) for name in machine.own(version)}
    serving = [links[name] for name in sorted(set(service) or own) if name in links]
    found = [*_cables(serving), *_pairs(machine, links), *_twice(machine), *_duplicate(machine)]
    return found or [ok("adapters", f"{', '.join(link.name for link in serving) or 'none with an address'}: all well")]


def _cables(serving: list[Link]) -> Iterator[Finding]:
    down = [link.name for link in serving if not link.up]
    dark = [link.name for link in serving if link.up and not link.carrier]
    verdict = fail if len(down) + len(dark) == len(serving) else warn
    if down:
        remedy = "; ".join(f"ip link set {name} up" for name in down) + ", and so at boot"
        yield verdict("adapters", f"{', '.join(down)} is switched off", remedy, "it cannot serve, nor be a spare")
    if dark:
        remedy = "look at cable, switch port and bond"
        yield verdict("adapters", f"{', '.join(dark)} has no carrier", remedy, "it cannot serve, nor be a spare")


def _pairs(machine: Machine, links: dict[str, Link]) -> Iterator[Finding]:
    """Interfaces that share a LAN, two by two."""
    pairs = {
        pair
        for version in (4, 6)
        for names in by_network(machine.own(version)).values()
        for pair in combinations(sorted(names), 2)
    }
    for one, other in ((links[a], links[b]) for a, b in sorted(pairs)):
        if one.mtu != other.mtu:
            yield warn(
                "MTU",
                f"{one.name} {one.mtu} and {other.name} {other.mtu}, on one LAN",
                "give all adapters of a LAN, on all nodes, the same MTU",
                "a connection that moves to the smaller one stalls as soon as a packet is too large for it",
            )
        if one.mac == other.mac and not _belong_together(one, other):
            yield fail(
                "MAC addresses",
                f"{one.name} and {other.name}, on one LAN, both have {one.mac}",
                "give each a MAC of its own (cloned machines, MACAddress= in .network files, macvlan)",
                "the switch sends frames to either of them by turns, and clients cannot tell one from the other",
            )


def _belong_together(one: Link, other: Link) -> bool:
    """A bond and its part, a bridge and its port, a VLAN and what it lies on."""
    return one.index in (other.master, other.parent) or other.index in (one.master, one.parent)


def _twice(machine: Machine) -> Iterator[Finding]:
    """The same address on two interfaces. One of full length may be on several, to be routed to: it names no LAN."""
    at: dict[str, set[str]] = {}
    for version in (4, 6):
        for name, addresses in machine.own(version).items():
            for address in addresses:
                if ip_interface(address).network.num_addresses > 1:
                    at.setdefault(address.partition("/")[0], set()).add(name)
    for address, names in at.items():
        if len(names) > 1:
            yield fail(
                "own addresses",
                f"{address} is on {' and '.join(sorted(names))}",
                "give each adapter an address of its own; vipa moves virtual IPs, not these",
                "an adapter is known by its address: heartbeats and the list cannot tell these two apart",
            )


def _duplicate(machine: Machine) -> Iterator[Finding]:
    for each in machine.bound:
        if each.duplicate:
            yield fail(
                "own addresses",
                f"{each.address.ip} of {each.interface}: the kernel found it on another station (dadfailed)",
                "take it from one of the two, then remove it here and add it again",
                "the kernel does not use it",
            )


def strict_arp(machine: Machine, arp_ignore: int, arp_announce: int) -> list[Finding]:
    """kube-proxy in IPVS mode binds the addresses of Services here; the arguments are the settings of "all"."""
    if not any(link.name == IPVS_LINK for link in machine.links):
        return []
    if arp_ignore == 1 and arp_announce == 2:
        return [ok("kube-proxy", "IPVS mode, with strictARP")]
    return [
        warn(
            "kube-proxy",
            f"IPVS mode without strictARP (arp_ignore {arp_ignore}, arp_announce {arp_announce})",
            "kubectl -n kube-system edit configmap kube-proxy: ipvs.strictARP: true; then restart its pods",
            f"every adapter answers ARP for every address on {IPVS_LINK}, among them virtual IPs that Services name, "
            "whenever vipa's tables are not there",
        )
    ]
