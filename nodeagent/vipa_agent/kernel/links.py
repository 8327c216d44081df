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
from vipa_agent.kernel.addresses import parse_vip
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
    IFA_LOCAL,
    IFADDR,
    IFF_LOOPBACK,
    IFF_LOWER_UP,
    IFF_UP,
    IFINFO,
    IFLA_ADDRESS,
    IFLA_EXT_MASK,
    IFLA_IFNAME,
    RT_SCOPE_HOST,
    RT_TABLE_MAIN,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_TABLE,
    RTEXT_FILTER_SKIP_STATS,
    RTM_DELADDR,
    RTM_DELLINK,
    RTM_DELROUTE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWROUTE,
    RTMSG,
    VIPA_PROTOCOL,
)

_GROUPS: Final = 0x1 | 0x10 | 0x40
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE."""
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
    ours was removed (by us or by someone)."""

    interfaces: bool = False
    vips: bool = False


class LinkEvents:
    """The event socket, for ``loop.add_reader(events.fileno(), …)``."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(NETLINK_ROUTE, groups=_GROUPS)

    def fileno(self) -> int:
        """Descriptor to wait on for reading."""
        return self._netlink.socket.fileno()

    def drain(self) -> Changed:
        """Read every pending event; never blocks."""
        interfaces = vips = False
        while True:
            try:
                datagram = self._netlink.socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return Changed(interfaces, vips)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                interfaces = vips = True  # events were lost
                continue
            for got in messages(datagram):
                if got.kind in (RTM_NEWADDR, RTM_DELADDR) and _is_our_vip(got.body):
                    vips = vips or got.kind == RTM_DELADDR
                elif got.kind in (RTM_NEWROUTE, RTM_DELROUTE):
                    interfaces = interfaces or _is_default_route(got.body)
                elif got.kind in (RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR):
                    interfaces = True

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
        left_out = set(vips)
        addresses: dict[int, list[str]] = {}
        for body in self._socket.dump(RTM_GETADDR, IFADDR.pack(socket.AF_INET, 0, 0, 0, 0), "list of addresses"):
            _family, length, _flags, scope, ifindex = IFADDR.unpack_from(body)
            if scope == RT_SCOPE_HOST:  # as virtual IPs are bound: judged by the header, since there are thousands
                continue
            address = str(ipaddress.ip_address(attributes(body, IFADDR.size)[IFA_LOCAL]))
            if address not in left_out:
                addresses.setdefault(ifindex, []).append(f"{address}/{length}")
        gateways: dict[int, list[str]] = {}
        for ifindex, gateway in self._default_routes():
            gateways.setdefault(ifindex, []).append(gateway)
        found = [
            LocalInterface(
                name=name,
                mac=mac,
                addresses=tuple(addresses.get(ifindex, ())),
                up=bool(flags & IFF_UP),
                carrier=bool(flags & IFF_LOWER_UP),
                gateways=tuple(dict.fromkeys(gateways.get(ifindex, ()))),
            )
            for name, ifindex, mac, flags in self._links()
            if not flags & IFF_LOOPBACK
        ]
        return tuple(sorted(found, key=lambda link: link.name))

    def indexes(self) -> dict[str, int]:
        """ifindex by name."""
        return {name: ifindex for name, ifindex, _mac, _flags in self._links()}

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

    def _links(self) -> Iterator[tuple[str, int, str, int]]:
        """(name, ifindex, MAC, flags)."""
        body = IFINFO.pack(0, 0, 0, 0, 0, 0) + attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        for link in self._socket.dump(RTM_GETLINK, body, "list of interfaces"):
            _family, _pad, _type, ifindex, flags, _change = IFINFO.unpack_from(link)
            found = attributes(link, IFINFO.size)
            name = found[IFLA_IFNAME].rstrip(b"\0").decode()
            yield name, ifindex, found.get(IFLA_ADDRESS, b"").hex(":"), flags

    def _default_routes(self) -> Iterator[tuple[int, str]]:
        """(ifindex, gateway) of the default routes of table main."""
        body = RTMSG.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0) + attribute_u32(RTA_TABLE, RT_TABLE_MAIN)
        # A namespace that never had an address has no table main.
        for route in self._socket.dump(RTM_GETROUTE, body, "list of routes", fine=(errno.ENOENT,)):
            if RTMSG.unpack_from(route)[1] == 0:
                yield from _next_hops(attributes(route, RTMSG.size))


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
