"""Nexthop objects, groups and host routes of this router's kernel, over rtnetlink (include/uapi/linux/nexthop.h).

Ours carry a protocol number and a metric of their own, and objects have ids of their own range: what others made is
never read as ours, replaced or removed. A route that others have for the same address with a smaller metric wins.
"""

import errno
import socket
import struct
from ipaddress import ip_address
from typing import Final

from vipa.remote.groups import GROUP_BASE, HOP_BASE, IDS_MAX, Steps, Table
from vipa.remote.hearing import End, Hop
from vipa_agent.kernel.errors import NetlinkRefused, Unsupported
from vipa_agent.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_REPLACE,
    NetlinkSocket,
    attribute,
    attribute_u32,
    attributes,
    nested,
)
from vipa_agent.kernel.rtnl import (
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_TABLE,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_NEWROUTE,
    RTMSG,
)

PROTOCOL: Final = 117
"""Marks what is ours: "u" in ASCII, next to the agent's "v"; unassigned in iproute2's rt_protos."""

METRIC: Final = 117
"""No other program's default, so that replacing a route can only meet ours."""

BUCKETS: Final = 256
"""Of a resilient group: with 15 hops some get 17 and some 18 of them, within 6 % of even."""

IDLE_S: Final = 10
"""A hop that is back gets buckets that no packet has used for so long: flows that go on stay where they are."""

_USER_HZ: Final = 100
RTM_NEWNEXTHOP, RTM_DELNEXTHOP, RTM_GETNEXTHOP = 104, 105, 106
_NHMSG: Final = struct.Struct("=BBBBI")
_MEMBER: Final = struct.Struct("=IBBH")
_NHA_ID, _NHA_GROUP, _NHA_GROUP_TYPE, _NHA_OIF, _NHA_GATEWAY, _NHA_RES_GROUP = 1, 2, 3, 5, 6, 12
_RES_BUCKETS, _RES_IDLE = 1, 2
_GROUP_RESILIENT: Final = 1
_RTA_PRIORITY, _RTA_NH_ID = 6, 30
_RTN_UNICAST: Final = 1
_ENDS: Final = {End.DROPPED: 6, End.REFUSED: 7}  # RTN_BLACKHOLE, RTN_UNREACHABLE
_FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)
_GONE: Final = (errno.ENOENT, errno.ESRCH)
_NO_FAMILY: Final = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENOENT)

_Request = tuple[int, int, bytes]


class Routes:
    """``resilient``: whether groups keep flows where they are when hops come and go; found out by trying."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self._socket = route_socket
        self.resilient = True

    def read(self) -> Table:
        """What there is of ours. Raises Unsupported (no nexthop objects), NetlinkRefused."""
        names = dict(socket.if_nameindex())
        hops: dict[Hop, int] = {}
        members: dict[int, list[int]] = {}
        for body in self._objects():
            found = attributes(body, _NHMSG.size)
            number = _u32(found[_NHA_ID])
            if _NHA_GROUP in found:
                members[number] = [member for member, *_ in _MEMBER.iter_unpack(found[_NHA_GROUP])]
            elif _NHA_GATEWAY in found:
                interface = names.get(_u32(found[_NHA_OIF]), "")
                hops[Hop(str(ip_address(found[_NHA_GATEWAY])), interface)] = number
        by_number = {number: hop for hop, number in hops.items()}
        groups = {
            gid: tuple(by_number[number] for number in of) for gid, of in members.items() if set(of) <= by_number.keys()
        }
        routes: dict[str, int | End] = {}
        for family in _FAMILIES:
            routes |= self._read_routes(family)
        return Table(hops, groups, {v: at for v, at in routes.items() if isinstance(at, End) or at in groups})

    def apply(self, steps: Steps) -> None:
        """Carry them out, all that can be. Raises NetlinkRefused, Unsupported for the first that cannot."""
        adding: list[_Request] = [_hop(number, hop) for number, hop in steps.add_hops]
        self._do(adding, "adding a next hop")
        try:
            self._do([self._group(gid, of) for gid, of in steps.set_groups], "setting a group of next hops")
        except NetlinkRefused as error:
            if not self.resilient or error.code not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
            self.resilient = False  # before Linux 5.13
            self._do([self._group(gid, of) for gid, of in steps.set_groups], "setting a group of next hops")
        self._do([_route(vip, at) for vip, at in steps.set_routes], "setting a route")
        self._do([(RTM_DELROUTE, 0, _route_body(vip, 0, b"")) for vip in steps.drop_routes], "removing a route", _GONE)
        dropped = [(RTM_DELNEXTHOP, 0, _NHMSG.pack(0, 0, 0, 0, 0) + attribute_u32(_NHA_ID, n)) for n in steps.drop]
        self._do(dropped, "removing a next hop", _GONE)

    def remove_all(self) -> int:
        """All of ours goes; how many routes there were."""
        count = 0
        for family in _FAMILIES:
            for vip in self._read_routes(family, whole=True):
                count += 1
                self._do([(RTM_DELROUTE, 0, _route_body(vip, 0, b""))], "removing a route", _GONE)
        numbers = sorted((_u32(attributes(body, _NHMSG.size)[_NHA_ID]) for body in self._objects()), reverse=True)
        body = _NHMSG.pack(0, 0, 0, 0, 0)
        for number in numbers:  # groups first: their ids are the higher ones
            self._do([(RTM_DELNEXTHOP, 0, body + attribute_u32(_NHA_ID, number))], "removing a next hop", _GONE)
        return count

    def _do(self, wanted: list[_Request], what: str, fine: tuple[int, ...] = ()) -> None:
        codes = [code for code in self._socket.requests(wanted) if code and code not in fine]
        if codes:
            raise NetlinkRefused(codes[0], what)

    def _objects(self) -> list[bytes]:
        try:
            found = self._socket.dump(RTM_GETNEXTHOP, _NHMSG.pack(0, 0, 0, 0, 0), "list of next hops")
        except NetlinkRefused as error:
            if error.code != errno.EOPNOTSUPP:
                raise
            raise Unsupported("this kernel has no nexthop objects: Linux 5.3 or newer is needed") from error
        return [body for body in found if _is_ours(body)]

    def _read_routes(self, family: int, *, whole: bool = False) -> dict[str, int | End]:
        body = RTMSG.pack(family, 0, 0, 0, RT_TABLE_MAIN, PROTOCOL, 0, 0, 0)
        found: dict[str, int | End] = {}
        ends = {kind: end for end, kind in _ENDS.items()}
        for route in self._socket.dump(RTM_GETROUTE, body, "list of routes", fine=_NO_FAMILY):
            parts = attributes(route, RTMSG.size)
            if not _is_host_route(route, parts, family):
                continue
            vip, kind = str(ip_address(parts[RTA_DST])), RTMSG.unpack_from(route)[7]
            if _RTA_NH_ID in parts:
                found[vip] = _u32(parts[_RTA_NH_ID])
            elif kind in ends:
                found[vip] = ends[kind]
            elif whole:
                found[vip] = End.REFUSED
        return found

    def _group(self, gid: int, numbers: tuple[int, ...]) -> _Request:
        body = _NHMSG.pack(0, 0, PROTOCOL, 0, 0) + attribute_u32(_NHA_ID, gid)
        body += attribute(_NHA_GROUP, b"".join(_MEMBER.pack(number, 0, 0, 0) for number in numbers))
        if self.resilient:
            buckets = attribute(_RES_BUCKETS, struct.pack("=H", BUCKETS))
            idle = attribute_u32(_RES_IDLE, IDLE_S * _USER_HZ)
            body += attribute(_NHA_GROUP_TYPE, struct.pack("=H", _GROUP_RESILIENT))
            body += nested(_NHA_RES_GROUP, buckets, idle)
        return RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, body


def _is_ours(body: bytes) -> bool:
    number = _u32(attributes(body, _NHMSG.size)[_NHA_ID])
    return _NHMSG.unpack_from(body)[2] == PROTOCOL and HOP_BASE < number < GROUP_BASE + IDS_MAX


def _is_host_route(route: bytes, parts: dict[int, bytes], family: int) -> bool:
    """Whether it is one of ours: others may use our protocol number, for a default route even."""
    head = RTMSG.unpack_from(route)
    length = 32 if family == socket.AF_INET else 128
    ours = (head[0], head[1], head[5]) == (family, length, PROTOCOL) and RTA_DST in parts
    return ours and _RTA_PRIORITY in parts and _u32(parts[_RTA_PRIORITY]) == METRIC


def is_ours(body: bytes) -> bool:
    """Whether an event about a nexthop object is about one of ours."""
    return _NHA_ID in attributes(body, _NHMSG.size) and _is_ours(body)


def _hop(number: int, hop: Hop) -> _Request:
    gateway = ip_address(hop.address)
    family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
    try:
        index = socket.if_nametoindex(hop.interface)
    except OSError as error:
        raise NetlinkRefused(errno.ENODEV, f"adding a next hop by {hop.interface}") from error
    body = _NHMSG.pack(family, 0, PROTOCOL, 0, 0) + attribute_u32(_NHA_ID, number)
    body += attribute_u32(_NHA_OIF, index) + attribute(_NHA_GATEWAY, gateway.packed)
    return RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, body


def _route(vip: str, at: int | End) -> _Request:
    if isinstance(at, End):
        return RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route_body(vip, _ENDS[at], b"")
    return RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, _route_body(vip, _RTN_UNICAST, attribute_u32(_RTA_NH_ID, at))


def _route_body(vip: str, kind: int, more: bytes) -> bytes:
    address = ip_address(vip)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    head = RTMSG.pack(family, address.max_prefixlen, 0, 0, RT_TABLE_MAIN, PROTOCOL, RT_SCOPE_UNIVERSE, kind, 0)
    metric = attribute_u32(_RTA_PRIORITY, METRIC)
    return head + attribute_u32(RTA_TABLE, RT_TABLE_MAIN) + attribute(RTA_DST, address.packed) + metric + more


def _u32(payload: bytes) -> int:
    value: int = struct.unpack("=I", payload)[0]
    return value
