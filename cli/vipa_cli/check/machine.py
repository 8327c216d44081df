"""The network of this machine as the kernel has it: interfaces, addresses, routing rules, routes in our tables.

Read once, in the network namespace of the calling thread; judged by the other files of this folder, which are pure.
"""

import errno
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_interface
from typing import Any, Final

from pyroute2 import IPRoute

from vipa_agent.kernel.marks import DEFAULT_MASK, limit
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket, attribute_u32
from vipa_agent.kernel.routes import TABLE_BASE
from vipa_agent.kernel.rtnl import (
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_TABLE_MAIN,
    RTA_TABLE,
    RTM_GETROUTE,
    RTMSG,
    VIPA_PROTOCOL,
)

OwnAddress = IPv4Interface | IPv6Interface
FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
OUR_TABLES: Final = range(TABLE_BASE + 1, TABLE_BASE + 1 + limit(DEFAULT_MASK))

_ARPHRD_ETHER: Final = 1
_IFF_UP: Final = 0x1
_IFA_F_DADFAILED: Final = 0x08
_ALL_BITS: Final = 0xFFFFFFFF
_RT_TABLE_LOCAL: Final = 255
_RTPROT_RA: Final = 9
# Links that only ever lead to pods, to tunnels or nowhere; a LAN is on none of them.
_GUEST_KINDS: Final = ("veth", "tun")
_INNER_KINDS: Final = ("dummy", "tun", "wireguard", "vxlan", "geneve", "ifb", "nlmon")
IPVS_LINK: Final = "kube-ipvs0"
"""kube-proxy in IPVS mode binds every Service address there (pkg/proxy/ipvs/proxier.go)."""


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. ``kind`` is "" for hardware; ``master`` and ``parent``: index of bond or bridge, and of what a VLAN
    or macvlan lies on; 0 for none. ``mac`` is "" where there are none."""

    index: int
    name: str
    mac: str
    mtu: int
    kind: str = ""
    up: bool = True
    carrier: bool = True
    master: int = 0
    parent: int = 0


@dataclass(frozen=True, slots=True)
class Bound:
    """An address on an interface. ``ours``: an agent bound it as a virtual IP. ``routable``: neither of scope link nor
    host. ``duplicate``: the kernel found that another station has it."""

    interface: str
    address: OwnAddress
    ours: bool = False
    routable: bool = True
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy routing rule of IP ``version`` 4 or 6. ``ours``: an agent made it. ``catches_all``: every packet that
    gets so far goes by its table."""

    version: int
    priority: int
    table: int = 0
    mark: int = 0
    mask: int = _ALL_BITS
    ours: bool = False
    catches_all: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """All of it. ``strange_tables``: (IP version, number) of tables meant for us in which somebody else has routes.
    ``advertised``: interfaces whose IPv6 default route came by a router advertisement."""

    links: tuple[Link, ...]
    bound: tuple[Bound, ...]
    rules: tuple[Rule, ...] = ()
    strange_tables: tuple[tuple[int, int], ...] = ()
    advertised: tuple[str, ...] = ()

    def own(self, version: int = 4) -> dict[str, list[str]]:
        """The machine's own routable addresses, "10.1.1.4/24" style, by Ethernet interface that may be on a LAN."""
        lan = {link.name for link in self.lan_links()}
        found: dict[str, list[str]] = {}
        for each in self.bound:
            if each.interface in lan and not each.ours and each.routable and each.address.version == version:
                found.setdefault(each.interface, []).append(str(each.address))
        return found

    def lan_links(self) -> tuple[Link, ...]:
        """Ethernet interfaces that may be on a LAN: no tunnels, no bridge that leads to pods and guests alone."""
        outward = {link.master for link in self.links if link.kind not in _GUEST_KINDS}
        return tuple(
            link
            for link in self.links
            if link.mac and link.kind not in _INNER_KINDS and (link.kind != "bridge" or link.index in outward)
        )

    def macs(self) -> set[str]:
        """Every MAC of this machine."""
        return {link.mac for link in self.links if link.mac}

    @property
    def steers(self) -> bool:
        """Whether two interfaces share a LAN: only then does an agent use marks, rules and tables."""
        return any(len(names) > 1 for version in (4, 6) for names in by_network(self.own(version)).values())


def by_network(own: Mapping[str, Iterable[str]]) -> dict[object, set[str]]:
    """Interfaces by subnet; ``own``: "10.1.1.4/24" style, by interface."""
    found: dict[object, set[str]] = {}
    for name, addresses in own.items():
        for address in addresses:
            found.setdefault(ip_interface(address).network, set()).add(name)
    return found


def read() -> Machine:
    """The network this thread is in."""
    with IPRoute(strict_check=True) as ipr:
        links = tuple(_link(each) for each in ipr.get_links())
        names = {link.index: link.name for link in links}
        addresses = [each for family in FAMILIES for each in ipr.get_addr(family=family)]
        # Linux 5.18 on: ::1 says that the kernel made it.
        tells_who = any(each.get_attr("IFA_PROTO") for each in addresses)
        return Machine(
            links,
            tuple(_bound(each, names, tells_who=tells_who) for each in addresses),
            tuple(_rule(each, family) for family in FAMILIES for each in ipr.get_rules(family=family)),
            tuple(_strange_tables()),
            tuple(sorted(_advertised(ipr, names))),
        )


def _link(raw: Any) -> Link:  # noqa: ANN401 - pyroute2 is untyped
    info = raw.get_attr("IFLA_LINKINFO")
    is_ethernet = raw["ifi_type"] == _ARPHRD_ETHER
    elsewhere = raw.get_attr("IFLA_LINK_NETNSID") is not None
    return Link(
        index=raw["index"],
        name=raw.get_attr("IFLA_IFNAME"),
        mac=(raw.get_attr("IFLA_ADDRESS") or "") if is_ethernet else "",
        mtu=raw.get_attr("IFLA_MTU") or 0,
        kind=(info.get_attr("IFLA_INFO_KIND") or "") if info else "",
        up=bool(raw["flags"] & _IFF_UP),
        carrier=bool(raw.get_attr("IFLA_CARRIER")),
        master=raw.get_attr("IFLA_MASTER") or 0,
        parent=0 if elsewhere else raw.get_attr("IFLA_LINK") or 0,
    )


def _bound(raw: Any, names: Mapping[int, str], *, tells_who: bool) -> Bound:  # noqa: ANN401 - pyroute2 is untyped
    text = raw.get_attr("IFA_LOCAL") or raw.get_attr("IFA_ADDRESS")
    address = ip_interface(f"{text}/{raw['prefixlen']}")
    return Bound(
        interface=names.get(raw["index"], "?"),
        address=address,
        ours=raw.get_attr("IFA_PROTO") == VIPA_PROTOCOL if tells_who else _looks_ours(raw, address),
        routable=raw["scope"] not in (RT_SCOPE_HOST, RT_SCOPE_LINK),
        duplicate=bool((raw.get_attr("IFA_FLAGS") or raw["flags"]) & _IFA_F_DADFAILED),
    )


def _looks_ours(raw: Any, address: OwnAddress) -> bool:  # noqa: ANN401 - pyroute2 is untyped
    """What an agent binds is of full length, and of scope host (IPv4) or not preferred (IPv6)."""
    if address.network.prefixlen != address.max_prefixlen:
        return False
    return raw["scope"] == RT_SCOPE_HOST if address.version == 4 else not raw.get_attr("IFA_CACHEINFO")["ifa_preferred"]


def _rule(raw: Any, family: int) -> Rule:  # noqa: ANN401 - pyroute2 is untyped
    narrow = ("FRA_FWMARK", "FRA_IIFNAME", "FRA_OIFNAME", "FRA_L3MDEV", "FRA_UID_RANGE", "FRA_IP_PROTO")
    suppressed = raw.get_attr("FRA_SUPPRESS_PREFIXLEN") not in (None, _ALL_BITS)
    table = raw.get_attr("FRA_TABLE") or 0
    mask = raw.get_attr("FRA_FWMASK")
    return Rule(
        version=4 if family == socket.AF_INET else 6,
        priority=raw.get_attr("FRA_PRIORITY") or 0,
        table=table,
        mark=raw.get_attr("FRA_FWMARK") or 0,
        mask=_ALL_BITS if mask is None else mask,
        ours=raw.get_attr("FRA_PROTOCOL") == VIPA_PROTOCOL,
        catches_all=(
            table not in (0, _RT_TABLE_LOCAL)
            and not suppressed
            and not raw["src_len"]
            and not raw["dst_len"]
            and not raw["tos"]
            and all(raw.get_attr(name) is None for name in narrow)
        ),
    )


def _strange_tables() -> Iterable[tuple[int, int]]:
    with NetlinkSocket(NETLINK_ROUTE) as sock:
        for family in FAMILIES:
            for table in OUR_TABLES:
                asked = RTMSG.pack(family, *[0] * 8) + attribute_u32(RTA_TABLE, table)
                # An empty table is no table: ENOENT.
                routes = sock.dump(RTM_GETROUTE, asked, f"routes of table {table}", fine=(errno.ENOENT,))
                if any(RTMSG.unpack_from(route)[5] != VIPA_PROTOCOL for route in routes):
                    yield (4 if family == socket.AF_INET else 6), table


def _advertised(ipr: IPRoute, names: Mapping[int, str]) -> set[str]:
    found = set()
    for route in ipr.get_routes(family=socket.AF_INET6, table=RT_TABLE_MAIN):
        if route["proto"] == _RTPROT_RA and not route["dst_len"]:
            found.add(names.get(route.get_attr("RTA_OIF") or 0, "?"))
    return found
