"""One small route table and four rules per marked interface, whatever the number of virtual IPs.

In order, for a packet with interface N's mark:
  base    it *came in* on N and is being forwarded (a Service's pod): skip the rest, route it as ever
  base+1  N's table, but not its default route: the LAN
  base+2  main, but not its default route: pods, other LANs
  base+3  N's table: the default route by N's gateway
  base+4  where base leads to
The reverse-path check asks with "iif lo" and so comes to base+1 like a reply would. Anything unmatched goes on to main.
"""

import errno
import ipaddress
import socket
import struct
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vipa_agent.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NetlinkSocket,
    attribute,
    attribute_text,
    attribute_u8,
    attribute_u32,
    attributes,
)
from vipa_agent.kernel.rtnl import (
    FRA_PROTOCOL,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_TABLE,
    RTM_DELROUTE,
    RTM_DELRULE,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWROUTE,
    RTM_NEWRULE,
    RTMSG,
    VIPA_PROTOCOL,
)

RULE_BASE: Final = 7117
"""Before main (32766) and wg-quick (32764), after CNIs that must come first (Cilium 9-110, AWS VPC 512-1536)."""
TABLE_BASE: Final = 7117
"""Tables TABLE_BASE + slot; main, local and the small numbers people use by hand are far away."""

GUEST_RULE: Final = RULE_BASE - 1
"""The way to guests behind bridges (:mod:`vipa_agent.kernel.guests`), which no mark changes; not of this file's set."""
GUEST_TABLE: Final = TABLE_BASE
"""Slots begin at 1."""

_RTN_UNICAST: Final = 1
_TO_TABLE, _GOTO, _NOP = 1, 2, 3  # FR_ACT_*
_FRA_IIFNAME, _FRA_GOTO, _FRA_PRIORITY, _FRA_FWMARK = 3, 4, 6, 10
_FRA_SUPPRESS_PREFIXLEN, _FRA_TABLE, _FRA_FWMASK = 14, 15, 16
_NO_FAMILY: Final = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
"""A kernel without IPv6."""
_LINK_NOT_READY: Final = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV, errno.EINVAL)
"""The interface is down, gone, or has just lost the address the gateway hangs on: routes come when it is ready."""


@dataclass(frozen=True, slots=True)
class NicRoutes:
    """What one marked interface needs: its slot and mark, the LANs on it and the gateways of its default routes."""

    interface: str
    ifindex: int
    slot: int
    mark: int
    networks: tuple[str, ...]
    gateways: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    priority: int
    action: int
    mark: int = 0
    interface: str = ""
    table: int = 0
    suppress: bool = False


class Routes:
    """Those of one address family. Applies the whole set of :class:`NicRoutes`; what else is there of ours goes."""

    def __init__(self, route_socket: NetlinkSocket, mask: int, family: int = socket.AF_INET) -> None:
        self._socket = route_socket
        self._mask = mask
        self._family = family
        self._rules: frozenset[_Rule] = frozenset()
        self._filled: dict[str, frozenset[tuple[int, tuple[bytes, bytes, bytes]]]] = {}
        """Interface → (table, identity) of its routes that were there after the last :meth:`apply`, and of those to its
        LANs, which must be there once it is ready."""

    def apply(self, nics: Sequence[NicRoutes]) -> None:
        """Make rules and tables exactly these. Routes of an interface that is not ready are passed over, and told by
        :meth:`lacking` when it is. Raises NetlinkRefused."""
        for nic in nics:
            self._fill_table(nic)
        wanted = [rule for nic in nics for rule in _rules(nic)]
        if wanted:
            wanted.append(_Rule(RULE_BASE + 4, _NOP))
        there = self._present()
        for rule in wanted:
            if rule not in there:
                body = self._rule_body(rule)
                self._socket.request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, body, f"adding rule {rule.priority}")
        used = {TABLE_BASE + nic.slot for nic in nics}
        for rule in there:
            if rule not in wanted:
                body = self._rule_body(rule)
                self._socket.request(RTM_DELRULE, 0, body, "removing a rule", fine=(errno.ENOENT,))
                if rule.table not in (0, RT_TABLE_MAIN, *used):
                    self._trim(rule.table, set())
        self._rules = frozenset(wanted)
        self._filled = {nic.interface: frozenset({*self._routes_of(nic.slot), *_to_lans(nic)}) for nic in nics}

    def lacking(self, ready: Container[str]) -> str:
        """What of the last :meth:`apply` is not there, for people; "" for nothing. Somebody removed it, or the
        interface was not ready for it then. Of interfaces that are not ``ready`` the kernel itself removes routes."""
        gone = sorted(rule.priority for rule in self._rules.difference(self._present()))
        if gone:
            return f"rule {gone[0]}"
        for interface, filled in self._filled.items():
            tables = {table for table, _ in filled}
            if interface in ready and not filled <= {
                r for table in tables for r in self._routes_of(table - TABLE_BASE)
            }:
                return f"route of {interface}"
        return ""

    def _routes_of(self, slot: int) -> Iterator[tuple[int, tuple[bytes, bytes, bytes]]]:
        table = TABLE_BASE + slot
        return ((table, _identity(route)) for route in self._dump(table))

    def _fill_table(self, nic: NicRoutes) -> None:
        table = TABLE_BASE + nic.slot
        wanted = [_route_body(table, nic.ifindex, network, None) for network in nic.networks]
        everywhere = "0.0.0.0/0" if self._family == socket.AF_INET else "::/0"
        wanted += [_route_body(table, nic.ifindex, everywhere, gateway) for gateway in nic.gateways[:1]]
        there = {_identity(route) for route in self._dump(table)}
        for body in wanted:
            if _identity(body) not in there:  # replacing a route by itself would cost milliseconds
                flags, what = NLM_F_CREATE | NLM_F_REPLACE, f"adding a route to table {table}"
                self._socket.request(RTM_NEWROUTE, flags, body, what, fine=_LINK_NOT_READY)
        self._trim(table, {_identity(body)[0] for body in wanted})

    def _trim(self, table: int, kept: set[bytes]) -> None:
        """Remove our routes of a table whose destination is not in ``kept``."""
        for route in self._dump(table):
            if RTMSG.unpack_from(route)[5] == VIPA_PROTOCOL and _identity(route)[0] not in kept:
                self._socket.request(RTM_DELROUTE, 0, route, "removing a route", fine=(errno.ESRCH,))

    def _dump(self, table: int) -> list[bytes]:
        body = RTMSG.pack(self._family, 0, 0, 0, 0, 0, 0, 0, 0) + attribute_u32(RTA_TABLE, table)
        # An empty table is no table: ENOENT.
        fine = (errno.ENOENT, *_NO_FAMILY)
        found = self._socket.dump(RTM_GETROUTE, body, f"routes of table {table}", fine=fine)
        return [route for route in found if route[0] == self._family]

    def _present(self) -> list[_Rule]:
        found: list[_Rule] = []
        body = RTMSG.pack(self._family, *[0] * 8)
        for rule_body in self._socket.dump(RTM_GETRULE, body, "list of rules", fine=_NO_FAMILY):
            fields = attributes(rule_body, RTMSG.size)
            if rule_body[0] != self._family or fields.get(FRA_PROTOCOL, b"\0")[0] != VIPA_PROTOCOL:
                continue
            if _u32(fields.get(_FRA_PRIORITY)) == GUEST_RULE:
                continue
            action = RTMSG.unpack_from(rule_body)[7]
            rule = _Rule(
                priority=_u32(fields.get(_FRA_PRIORITY)),
                action=action,
                mark=_u32(fields.get(_FRA_FWMARK)),
                interface=fields.get(_FRA_IIFNAME, b"").rstrip(b"\0").decode(),
                table=_u32(fields.get(_FRA_TABLE)) if action == _TO_TABLE else 0,
                suppress=_u32(fields.get(_FRA_SUPPRESS_PREFIXLEN), 0xFFFFFFFF) == 0,
            )
            found.append(rule)
        return found

    def _rule_body(self, rule: _Rule) -> bytes:
        # struct fib_rule_hdr has the size and shape of struct rtmsg; its action stands where the route type does.
        parts = [
            RTMSG.pack(self._family, 0, 0, 0, 0, 0, 0, rule.action, 0),
            attribute_u32(_FRA_PRIORITY, rule.priority),
            attribute_u8(FRA_PROTOCOL, VIPA_PROTOCOL),
        ]
        if rule.mark:
            parts += [attribute_u32(_FRA_FWMARK, rule.mark), attribute_u32(_FRA_FWMASK, self._mask)]
        if rule.interface:
            parts.append(attribute_text(_FRA_IIFNAME, rule.interface))
        if rule.action == _GOTO:
            parts.append(attribute_u32(_FRA_GOTO, RULE_BASE + 4))
        if rule.table:
            parts.append(attribute_u32(_FRA_TABLE, rule.table))
        if rule.suppress:
            parts.append(attribute_u32(_FRA_SUPPRESS_PREFIXLEN, 0))
        return b"".join(parts)


def _rules(nic: NicRoutes) -> tuple[_Rule, ...]:
    table = TABLE_BASE + nic.slot
    return (
        _Rule(RULE_BASE, _GOTO, nic.mark, nic.interface),
        _Rule(RULE_BASE + 1, _TO_TABLE, nic.mark, "", table, suppress=True),
        _Rule(RULE_BASE + 2, _TO_TABLE, nic.mark, "", RT_TABLE_MAIN, suppress=True),
        _Rule(RULE_BASE + 3, _TO_TABLE, nic.mark, "", table),
    )


def _to_lans(nic: NicRoutes) -> Iterator[tuple[int, tuple[bytes, bytes, bytes]]]:
    """(table, identity) of the routes that any ready interface takes; one to a gateway may be refused for ever."""
    table = TABLE_BASE + nic.slot
    return ((table, _identity(_route_body(table, nic.ifindex, network, None))) for network in nic.networks)


def _route_body(table: int, ifindex: int, destination: str, gateway: str | None) -> bytes:
    network = ipaddress.ip_network(destination)
    scope = RT_SCOPE_UNIVERSE if gateway else RT_SCOPE_LINK
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    head = RTMSG.pack(family, network.prefixlen, 0, 0, 0, VIPA_PROTOCOL, scope, _RTN_UNICAST, 0)
    parts = [head, attribute_u32(RTA_TABLE, table), attribute_u32(RTA_OIF, ifindex)]
    if network.prefixlen:
        parts.append(attribute(RTA_DST, network.network_address.packed))
    if gateway:
        parts.append(attribute(RTA_GATEWAY, ipaddress.ip_address(gateway).packed))
    return b"".join(parts)


def _identity(route: bytes) -> tuple[bytes, bytes, bytes]:
    """(destination with prefix length, interface, gateway) of a route message; the first tells routes of one table
    apart."""
    found = attributes(route, RTMSG.size)
    destination = bytes((RTMSG.unpack_from(route)[1],)) + found.get(RTA_DST, b"")
    return destination, found.get(RTA_OIF, b""), found.get(RTA_GATEWAY, b"")


def _u32(payload: bytes | None, default: int = 0) -> int:
    return struct.unpack("=I", payload)[0] if payload else default
