"""Tables of the kernel that may be too small: neighbours, IPv6 routes, connections."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vipa_cli.check.finding import Finding, ok, warn

SYSCTL: Final = Path("/proc/sys/net")
NETWORK: Final = Path("/proc/thread-self/net")
"""Not /proc/net: that is the main thread's."""

_NEIGHBOURS_MIN: Final = 1024
"""The kernel's own default (net/ipv4/arp.c, gc_thresh3); less is somebody's decision."""
_ROUTES6_MIN: Final = 4096
"""The kernel's default before Linux 6.3 (net/ipv6/route.c, ip6_rt_max_size)."""
_NEARLY_FULL: Final = 0.75


def room(vips: int, sysctl: Path = SYSCTL, network: Path = NETWORK) -> list[Finding]:
    """``vips``: how many virtual IPs are known. Tables that this network namespace cannot see are passed over."""
    return [*_neighbours(vips, sysctl, network), *_routes6(vips, sysctl), *_connections(sysctl)]


def _neighbours(vips: int, sysctl: Path, network: Path) -> Iterator[Finding]:
    for protocol, cache in (("ipv4", "arp_cache"), ("ipv6", "ndisc_cache")):
        most = _number(sysctl / protocol / "neigh/default/gc_thresh3")
        if most is None:  # only the first network namespace has it
            continue
        used = _entries(network / "stat" / cache)
        name = f"{protocol} neighbours"
        found = f"room for {most:,} (gc_thresh3), {used:,} used now, {vips:,} virtual IPs known"
        if most >= _NEIGHBOURS_MIN and used + vips <= most * _NEARLY_FULL:
            yield ok(name, found)
            continue
        better = max(4 * _NEIGHBOURS_MIN, 2 * (used + vips))
        yield warn(
            name,
            found,
            f"in net.{protocol}.neigh.default set gc_thresh3={better}, gc_thresh2={better // 2}, "
            f"gc_thresh1={better // 8}: more than the LAN has stations",
            "when it is full, replies to clients that are not in it are dropped (kernel: neighbour table overflow)",
        )


def _routes6(vips: int, sysctl: Path) -> Iterator[Finding]:
    most = _number(sysctl / "ipv6/route/max_size")
    if most is not None and most < max(_ROUTES6_MIN, 2 * vips):
        yield warn(
            "IPv6 routes",
            f"net.ipv6.route.max_size is {most:,}",
            f"set net.ipv6.route.max_size={max(16 * _ROUTES6_MIN, 8 * vips)}",
            "with more destinations than that, new IPv6 connections fail: network is unreachable",
        )


def _connections(sysctl: Path) -> Iterator[Finding]:
    most, used = (_number(sysctl / f"netfilter/nf_conntrack_{name}") for name in ("max", "count"))
    if most and used is not None and used > most * _NEARLY_FULL:
        yield warn(
            "connections",
            f"conntrack knows {used:,} connections of at most {most:,}",
            f"set net.netfilter.nf_conntrack_max={4 * most}",
            "when it is full, new connections are dropped, also those to a virtual IP that has just come here",
        )


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _entries(path: Path) -> int:
    """The first number of the second line, in hexadecimal (net/core/neighbour.c, neigh_stat_seq_show)."""
    try:
        return int(path.read_text().splitlines()[1].split()[0], 16)
    except (OSError, ValueError, IndexError):
        return 0
