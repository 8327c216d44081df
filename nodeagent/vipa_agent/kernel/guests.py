"""Addresses that live behind a bridge of the node: routed to the bridge, and proxied for on the service interfaces.

A proxy entry on an interface makes the kernel answer ARP and neighbour discovery for the address there, if the gate
lets the question in; so an address is proxied for on every service interface of the holder, and who answers is the
gate's to say, as for addresses that are bound. Routes stand in a table of their own whose rule comes before the marks':
whatever interface something came in on, a guest is behind its bridge. Ours bear protocol 118.
"""

import errno
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NetlinkSocket,
    attribute,
    attribute_u8,
    attribute_u32,
    attributes,
)
from vipa_agent.kernel.routes import GUEST_RULE, GUEST_TABLE
from vipa_agent.kernel.rtnl import (
    FRA_PROTOCOL,
    NDMSG,
    RT_SCOPE_LINK,
    RTA_DST,
    RTA_OIF,
    RTA_TABLE,
    RTM_DELNEIGH,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETNEIGH,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTMSG,
    VIPA_PROTOCOL,
)
from vipa_agent.kernel.sets import address_key, address_of

_FAMILIES: Final[dict[int, int]] = {socket.AF_INET: 32, socket.AF_INET6: 128}
_NDA_DST, _NDA_PROTOCOL = 1, 12
_NTF_PROXY: Final = 0x08
_NTF_ROUTER: Final = 0x80
"""The kernel's answers say "router", as announcements of an interface that forwards do: an address whose holder changes
its mind about that is taken out of clients' lists of routers (RFC 4861 section 7.2.5)."""
_RTN_UNICAST, _TO_TABLE = 1, 1
_FRA_PRIORITY, _FRA_TABLE = 6, 15
_PRIORITY: Final = struct.pack("=I", GUEST_RULE)
_NO_FAMILY: Final = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
_GONE: Final = (errno.ENOENT, errno.ENODEV, errno.ESRCH, errno.ENXIO)

Pair = tuple[str, int]
"""(address, ifindex)."""


class Guests:
    """``bound``: proxied here by this agent, or found of ours, by (address, service interface); ``routed``: bridge by
    address."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self._socket = route_socket
        self.bound: set[Pair] = set()
        self.routed: dict[str, int] = {}
        self._ruled: set[int] = set()
        """Families that have our rule, as far as we know."""

    def load(self) -> None:
        """Read what is there."""
        self.bound = self._proxied()
        self.routed = self._routes()
        self._ruled = {family for family in _FAMILIES if any(self._rules(family))}

    def bind(self, addresses: Iterable[str], ifindexes: Iterable[int], bridges: Mapping[str, int]) -> None:
        """Proxy for every address on every interface and route it to its bridge (address → ifindex); there already is
        success. Raises NetlinkRefused, and KernelError's others."""
        nics, every = tuple(ifindexes), tuple(addresses)
        for family in {_family(address) for address in every}:
            if not any(self._rules(family)):
                self._create(RTM_NEWRULE, _rule(family), "adding the rule to guests")
            self._ruled.add(family)
        for address in every:
            bridge = bridges[address]
            if self.routed.get(address, bridge) != bridge:
                self._drop_route(address)
            self._create(RTM_NEWROUTE, _route(address, bridge), f"routing {address} to its bridge")
            self.routed[address] = bridge
            for nic in nics:
                self._create(RTM_NEWNEIGH, _proxy(address, nic), f"proxying for {address} on interface number {nic}")
                self.bound.add((address, nic))

    def unbind(self, addresses: Iterable[str], *, but: Collection[int] = ()) -> None:
        """Proxy for the addresses nowhere ``but`` on these interfaces; what is proxied nowhere is routed no more.
        Absent is success. Raises NetlinkRefused after trying all."""
        wanted = set(addresses)
        refused: NetlinkRefused | None = None
        for address, nic in sorted(pair for pair in self.bound if pair[0] in wanted and pair[1] not in but):
            try:
                what = f"removing the proxy for {address} from interface number {nic}"
                self._socket.request(RTM_DELNEIGH, 0, _proxy(address, nic), what, fine=_GONE)
                self.bound.discard((address, nic))
            except NetlinkRefused as error:
                refused = refused or error
        left = {address for address, _nic in self.bound}
        for address in sorted(wanted & self.routed.keys() - left):
            try:
                self._drop_route(address)
            except NetlinkRefused as error:
                refused = refused or error
        for family in self._ruled.difference(map(_family, self.routed)):
            self._drop_rule(family)
            self._ruled.discard(family)
        if refused:
            raise refused

    def lost(self) -> set[Pair]:
        """What somebody else removed: (address, service interface of a proxy, or bridge of a route)."""
        if not self.routed and not self.bound:
            return set()
        routes = self._routes()
        ruled = {family for family in _FAMILIES if any(self._rules(family))}
        unreached = {
            (address, bridge)
            for address, bridge in self.routed.items()
            if routes.get(address) != bridge or _family(address) not in ruled
        }
        return (self.bound - self._proxied()) | unreached

    def forget(self, is_gone: Callable[[int], bool]) -> None:
        """Interfaces went, and with them what was there."""
        self.bound = {pair for pair in self.bound if not is_gone(pair[1])}
        left = {address for address, _nic in self.bound}
        self.routed = {a: bridge for a, bridge in self.routed.items() if not is_gone(bridge) or a in left}

    def _create(self, kind: int, body: bytes, what: str) -> None:
        self._socket.request(kind, NLM_F_CREATE | NLM_F_EXCL, body, what, fine=(errno.EEXIST,))

    def _drop_route(self, address: str) -> None:
        route = _route(address, self.routed[address])
        self._socket.request(RTM_DELROUTE, 0, route, f"removing the route to {address}", fine=_GONE)
        del self.routed[address]

    def _drop_rule(self, family: int) -> None:
        fine = (*_GONE, *_NO_FAMILY)
        for _ in list(self._rules(family)):
            self._socket.request(RTM_DELRULE, 0, _rule(family), "removing the rule to guests", fine=fine)

    def _rules(self, family: int) -> Iterator[bytes]:
        body = RTMSG.pack(family, *[0] * 8)
        for rule in self._socket.dump(RTM_GETRULE, body, "list of rules", fine=_NO_FAMILY):
            found = attributes(rule, RTMSG.size)
            if rule[0] == family and found.get(_FRA_PRIORITY) == _PRIORITY and _is_ours(found.get(FRA_PROTOCOL)):
                yield rule

    def _proxied(self) -> set[Pair]:
        found: set[Pair] = set()
        for family in _FAMILIES:
            body = NDMSG.pack(family, 0, 0, 0, 0, _NTF_PROXY, 0)
            for entry in self._socket.dump(RTM_GETNEIGH, body, "list of proxied addresses", fine=_NO_FAMILY):
                of, _pad, _pad2, ifindex, _state, flags, _type = NDMSG.unpack_from(entry)
                parsed = attributes(entry, NDMSG.size)
                if of == family and flags & _NTF_PROXY and _is_ours(parsed.get(_NDA_PROTOCOL)):
                    found.add((address_of(parsed[_NDA_DST]), ifindex))
        return found

    def _routes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for family, length in _FAMILIES.items():
            body = RTMSG.pack(family, *[0] * 8) + attribute_u32(RTA_TABLE, GUEST_TABLE)
            fine = (errno.ENOENT, *_NO_FAMILY)
            for route in self._socket.dump(RTM_GETROUTE, body, "routes to guests", fine=fine):
                fields = RTMSG.unpack_from(route)
                parsed = attributes(route, RTMSG.size)
                if fields[0] == family and fields[1] == length and fields[5] == VIPA_PROTOCOL and RTA_OIF in parsed:
                    found[address_of(parsed[RTA_DST])] = _u32(parsed[RTA_OIF])
        return found


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _proxy(address: str, ifindex: int) -> bytes:
    head = NDMSG.pack(_family(address), 0, 0, ifindex, 0, _NTF_PROXY | _NTF_ROUTER, 0)
    return head + attribute(_NDA_DST, address_key(address)) + attribute_u8(_NDA_PROTOCOL, VIPA_PROTOCOL)


def _route(address: str, bridge: int) -> bytes:
    family = _family(address)
    head = RTMSG.pack(family, _FAMILIES[family], 0, 0, 0, VIPA_PROTOCOL, RT_SCOPE_LINK, _RTN_UNICAST, 0)
    table, to = attribute_u32(RTA_TABLE, GUEST_TABLE), attribute_u32(RTA_OIF, bridge)
    return head + table + attribute(RTA_DST, address_key(address)) + to


def _rule(family: int) -> bytes:
    # struct fib_rule_hdr has the size and shape of struct rtmsg; its action stands where the route type does.
    head = RTMSG.pack(family, 0, 0, 0, 0, 0, 0, _TO_TABLE, 0)
    priority, table = attribute_u32(_FRA_PRIORITY, GUEST_RULE), attribute_u32(_FRA_TABLE, GUEST_TABLE)
    return head + priority + attribute_u8(FRA_PROTOCOL, VIPA_PROTOCOL) + table


def _is_ours(protocol: bytes | None) -> bool:
    return protocol is not None and protocol[0] == VIPA_PROTOCOL


def _u32(payload: bytes) -> int:
    return int(struct.unpack("=I", payload)[0])
