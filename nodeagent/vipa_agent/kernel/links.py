"""Interfaces of the node: events, snapshots, and a cheap poll of the carrier.

Events only say *that* something changed; the snapshot says what. Lost events (ENOBUFS) count as a change of everything.
The poll exists because the kernel can deliver a down event up to 1 s late (linkwatch), while the flags tell at once.
"""

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vipa.election.events import LocalInterface
from vipa_agent.kernel.addresses import dump, may_be_vip, parse_vip
from vipa_agent.kernel.netlink import (
    HEADER,
    NETLINK_ROUTE,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    RECEIVE_BYTES,
    NetlinkSocket,
    attribute_u32,
    attributes,
    message,
    messages,
)
from vipa_agent.kernel.rtnl import (
    FRA_PROTOCOL,
    IFA_ADDRESS,
    IFA_F_DADFAILED,
    IFA_F_TEMPORARY,
    IFA_F_TENTATIVE,
    IFA_LOCAL,
    IFA_PROTO,
    IFADDR,
    IFF_LOOPBACK,
    IFF_LOWER_UP,
    IFF_UP,
    IFINFO,
    IFLA_ADDRESS,
    IFLA_AF_SPEC,
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    IFLA_INET6_CONF,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    RT_TABLE_MAIN,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_TABLE,
    RTEXT_FILTER_SKIP_STATS,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTMSG,
    VIPA_PROTOCOL,
)

_GROUPS: Final = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV4_RULE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE and
RTNLGRP_IPV6_RULE (19)."""
_NOT_OWN: Final = IFA_F_TEMPORARY | IFA_F_TENTATIVE | IFA_F_DADFAILED
"""An IPv6 address that changes by the hour (RFC 8981) is no endpoint's; one not settled yet, or refused by the LAN,
is not there."""
_OURS: Final = bytes((VIPA_PROTOCOL,))
_PORT_AT: Final = 12
"""In struct nlmsghdr: the netlink port of who made the change, 0 for the kernel itself."""
_NEXTHOP: Final = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, hops, ifindex."""
_FLAGS_AT: Final = HEADER.size + 8
_KIND_AT: Final = 4
_POLL_BYTES: Final = 4096
_FLAGS: Final = struct.Struct("=I")
_SHORT: Final = struct.Struct("=H")


@dataclass(frozen=True, slots=True)
class Changed:
    """What :meth:`LinkEvents.drain` found: ``interfaces`` calls for a new snapshot, ``vips`` says that an address of
    ours was removed (by us or by someone), ``ways`` that another program removed a rule or route of ours."""

    interfaces: bool = False
    vips: bool = False
    ways: bool = False


class LinkEvents:
    """The event socket, for ``loop.add_reader(events.fileno(), …)``. ``own``: netlink port of who changes rules and
    routes for us."""

    def __init__(self, own: int = 0) -> None:
        self._netlink = NetlinkSocket(NETLINK_ROUTE, groups=_GROUPS)
        self._ports = (0, own)

    def fileno(self) -> int:
        """Descriptor to wait on for reading."""
        return self._netlink.socket.fileno()

    def drain(self) -> Changed:
        """Read every pending event; never blocks."""
        interfaces = vips = ways = False
        while True:
            try:
                datagram = self._netlink.socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return Changed(interfaces, vips, ways)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                interfaces = vips = ways = True  # events were lost
                continue
            for got in messages(datagram):
                if got.kind in (RTM_NEWADDR, RTM_DELADDR) and _is_our_vip(got.body):
                    vips = vips or got.kind == RTM_DELADDR
                elif got.kind in (RTM_NEWROUTE, RTM_DELROUTE):
                    interfaces = interfaces or _is_default_route(got.body)
                    ways = ways or (got.kind == RTM_DELROUTE and self._by_another(datagram) and _is_our_route(got.body))
                elif got.kind == RTM_DELRULE:
                    ways = ways or (self._by_another(datagram) and _is_our_rule(got.body))
                elif got.kind in (RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR):
                    interfaces = True

    def _by_another(self, datagram: bytes) -> bool:
        return _FLAGS.unpack_from(datagram, _PORT_AT)[0] not in self._ports

    def close(self) -> None:
        """Close the socket."""
        self._netlink.close()


class Links:
    """Questions about interfaces, over a route socket of the owner."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self._socket = route_socket
        self._requests: dict[int, bytes] = {}
        self._buffer = bytearray(_POLL_BYTES)

    def snapshot(self, vips: Iterable[str] = ()) -> tuple[LocalInterface, ...]:
        """All interfaces but loopback, by name; ``vips`` are excluded from the addresses, as are all bound by us."""
        addresses, link_local = self._addresses(set(vips))
        gateways: dict[int, list[str]] = {}
        for family in (socket.AF_INET, socket.AF_INET6):
            for ifindex, gateway in self._default_routes(family):
                gateways.setdefault(ifindex, []).append(gateway)
        found = [
            LocalInterface(
                name=name,
                mac=mac,
                addresses=tuple(addresses.get(ifindex, ())),
                up=bool(flags & IFF_UP),
                carrier=bool(flags & IFF_LOWER_UP),
                gateways=tuple(dict.fromkeys(gateways.get(ifindex, ()))),
                link_local=link_local.get(ifindex, ""),
                forwards=forwards,
            )
            for name, ifindex, mac, flags, forwards in self._links()
            if not flags & IFF_LOOPBACK
        ]
        return tuple(sorted(found, key=lambda link: link.name))

    def indexes(self) -> dict[str, int]:
        """ifindex by name."""
        return {name: ifindex for name, ifindex, *_ in self._links()}

    def _addresses(self, left_out: set[str]) -> tuple[dict[int, list[str]], dict[int, str]]:
        """By ifindex: own addresses with prefix length, and an IPv6 link-local address."""
        addresses: dict[int, list[str]] = {}
        link_local: dict[int, str] = {}
        for body in dump(self._socket):
            family, length, flags, scope, ifindex = IFADDR.unpack_from(body)
            six = family == socket.AF_INET6
            if (scope == RT_SCOPE_HOST and not six) or (six and flags & _NOT_OWN):
                continue
            found = attributes(body, IFADDR.size)
            if may_be_vip(family, length, scope) and found.get(IFA_PROTO) == _OURS:
                continue
            address = str(ipaddress.ip_address(found.get(IFA_LOCAL, found[IFA_ADDRESS])))
            if six and scope == RT_SCOPE_LINK:
                link_local.setdefault(ifindex, address)
            elif address not in left_out:
                addresses.setdefault(ifindex, []).append(f"{address}/{length}")
        return addresses, link_local

    def poll(self, ifindexes: Iterable[int]) -> dict[int, tuple[bool, bool] | None]:
        """(IFF_UP, carrier) of each interface at this instant, None when it is gone. About 15 µs each."""
        sock, buffer = self._socket.socket, self._buffer
        states: dict[int, tuple[bool, bool] | None] = {}
        for ifindex in ifindexes:
            request = self._requests.get(ifindex)
            if request is None:
                body = IFINFO.pack(0, 0, 0, ifindex, 0, 0) + attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
                request = self._requests[ifindex] = message(RTM_GETLINK, NLM_F_REQUEST, 1, body)
            sock.send(request)
            sock.recv_into(buffer)  # a longer answer is cut off behind the flags, which come first
            if _SHORT.unpack_from(buffer, _KIND_AT)[0] == NLMSG_ERROR:
                states[ifindex] = None
                self._requests.pop(ifindex, None)
            else:
                (flags,) = _FLAGS.unpack_from(buffer, _FLAGS_AT)
                states[ifindex] = (bool(flags & IFF_UP), bool(flags & IFF_LOWER_UP))
        return states

    def _links(self) -> Iterator[tuple[str, int, str, int, bool]]:
        """(name, ifindex, MAC, flags, IPv6 forwarding)."""
        body = IFINFO.pack(0, 0, 0, 0, 0, 0) + attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        for link in self._socket.dump(RTM_GETLINK, body, "list of interfaces"):
            _family, _pad, _type, ifindex, flags, _change = IFINFO.unpack_from(link)
            found = attributes(link, IFINFO.size)
            name = found[IFLA_IFNAME].rstrip(b"\0").decode()
            yield name, ifindex, found.get(IFLA_ADDRESS, b"").hex(":"), flags, _forwards(found)

    def _default_routes(self, family: int) -> Iterator[tuple[int, str]]:
        """(ifindex, gateway) of the default routes of table main."""
        body = RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + attribute_u32(RTA_TABLE, RT_TABLE_MAIN)
        # A namespace that never had an address has no table main; a kernel may have no IPv6 at all.
        fine = (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
        for route in self._socket.dump(RTM_GETROUTE, body, "list of routes", fine=fine):
            if RTMSG.unpack_from(route)[:2] == (family, 0):
                yield from _next_hops(attributes(route, RTMSG.size))


def sender6(interface: LocalInterface) -> str:
    """The IPv6 address by which an interface asks its LAN; "" if it has none."""
    return interface.link_local or next((a.partition("/")[0] for a in interface.addresses if ":" in a), "")


def _forwards(link: dict[int, bytes]) -> bool:
    """Whether the interface forwards IPv6, and so says "router" of itself (RFC 4861 section 4.4)."""
    families = attributes(link.get(IFLA_AF_SPEC, b""))
    conf = attributes(families.get(socket.AF_INET6, b"")).get(IFLA_INET6_CONF, b"")
    # DEVCONF_FORWARDING, the first of an array of 32-bit integers (include/uapi/linux/ipv6.h)
    return len(conf) >= _FLAGS.size and _FLAGS.unpack_from(conf)[0] != 0


def _next_hops(found: dict[int, bytes]) -> Iterator[tuple[int, str]]:
    if RTA_GATEWAY in found and RTA_OIF in found:
        yield _FLAGS.unpack(found[RTA_OIF])[0], str(ipaddress.ip_address(found[RTA_GATEWAY]))
    hops = found.get(RTA_MULTIPATH, b"")
    while len(hops) >= _NEXTHOP.size:
        length, _flags, _hops, ifindex = _NEXTHOP.unpack_from(hops)
        gateway = attributes(hops[:length], _NEXTHOP.size).get(RTA_GATEWAY)
        if gateway:
            yield ifindex, str(ipaddress.ip_address(gateway))
        hops = hops[max(length, _NEXTHOP.size) :]


def _is_our_vip(body: bytes) -> bool:
    parsed = parse_vip(body)
    return parsed is not None and parsed[2] == VIPA_PROTOCOL


def _is_default_route(body: bytes) -> bool:
    fields = RTMSG.unpack_from(body)
    return bool(fields[1] == 0 and fields[4] == RT_TABLE_MAIN)


def _is_our_route(body: bytes) -> bool:
    return bool(RTMSG.unpack_from(body)[5] == VIPA_PROTOCOL)


def _is_our_rule(body: bytes) -> bool:
    return attributes(body, RTMSG.size).get(FRA_PROTOCOL, b"\0")[0] == VIPA_PROTOCOL
