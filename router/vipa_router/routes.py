"""Nexthop objects, groups and host routes of this router's kernel, over rtnetlink (include/uapi/linux/nexthop.h).

Ours carry a protocol number and a metric of their own, and objects have ids of their own range: what others made is
never read as ours, replaced or removed. A route that others have for the same address with a smaller metric wins.
"""

import errno
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

from vipa.remote.groups import GROUP_BASE, HOP_BASE, IDS_MAX, Steps, Table
from vipa.remote.hearing import End, Hop
from vipa.remote.refusals import SAID_MAX, Item
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
_Numbers = tuple[int, tuple[int, ...]]


class Applied(NamedTuple):
    """``refused``: each next hop or virtual IP that the kernel does not take, and why; ``left``: why something that is
    not needed any more is still there, or ""."""

    refused: dict[Item, str]
    left: str


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

    def apply(self, steps: Steps, there: Table, after: Table) -> Applied:
        """Carry out ``steps`` from ``there`` to ``after``, all that can be: what is refused holds up nothing else."""
        refused: dict[Item, str] = {}
        bad: set[int] = set()
        for (number, hop), code in zip(steps.add_hops, self._add_hops(steps.add_hops), strict=True):
            if code:
                refused[hop] = _why(code, f"next hop {hop.address} by {hop.interface}")
                bad.add(number)
        held_up = {gid for gid, of in steps.set_groups if bad & set(of)}
        groups = [(gid, of) for gid, of in steps.set_groups if gid not in held_up]
        for (gid, _), code in zip(groups, self._set_groups(groups, there), strict=True):
            if code:
                bad.add(gid)
                vips = [vip for vip, at in after.routes.items() if at == gid]
                refused |= dict.fromkeys(vips, _why(code, f"group of next hops for {', '.join(vips[:SAID_MAX])}"))
        bad |= held_up
        routes = [(vip, at) for vip, at in steps.set_routes if at not in bad or at in there.groups]
        for (vip, _), code in zip(routes, self._socket.requests([_route(*each) for each in routes]), strict=True):
            if code:
                refused[vip] = _why(code, f"route to {vip}")
        gone = [(RTM_DELROUTE, 0, _route_body(vip, 0, b"")) for vip in steps.drop_routes]
        left = self._codes(gone)
        if not refused:  # else something may still lead to what is to go
            empty = _NHMSG.pack(0, 0, 0, 0, 0)
            left += self._codes([(RTM_DELNEXTHOP, 0, empty + attribute_u32(_NHA_ID, n)) for n in steps.drop])
        return Applied(refused, _why(left[0], "removing what is not needed") if left else "")

    def _add_hops(self, adding: Sequence[tuple[int, Hop]]) -> list[int]:
        indexes = {name: index for index, name in socket.if_nameindex()}
        wanted = [_hop(number, hop, indexes[hop.interface]) for number, hop in adding if hop.interface in indexes]
        codes = iter(self._socket.requests(wanted))
        return [next(codes) if hop.interface in indexes else errno.ENODEV for _, hop in adding]

    def _set_groups(self, groups: Sequence[_Numbers], there: Table) -> list[int]:
        """What a kernel before Linux 5.13 refuses as a resilient group it takes as a plain one, and so does one that
        has a plain group there."""
        codes = self._socket.requests([_group(gid, of, resilient=self.resilient) for gid, of in groups])
        if self.resilient:
            for place, (gid, of) in enumerate(groups):
                if codes[place] in (errno.EINVAL, errno.EOPNOTSUPP):
                    (code,) = self._socket.requests([_group(gid, of, resilient=False)])
                    if not code:
                        codes[place] = 0
                        self.resilient = self.resilient and gid in there.groups
        return codes

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

    def _codes(self, wanted: list[_Request]) -> list[int]:
        return [code for code in self._socket.requests(wanted) if code and code not in _GONE]

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


def _why(code: int, what: str) -> str:
    return str(NetlinkRefused(code, what))


def _group(gid: int, numbers: tuple[int, ...], *, resilient: bool) -> _Request:
    body = _NHMSG.pack(0, 0, PROTOCOL, 0, 0) + attribute_u32(_NHA_ID, gid)
    body += attribute(_NHA_GROUP, b"".join(_MEMBER.pack(number, 0, 0, 0) for number in numbers))
    if resilient:
        buckets = attribute(_RES_BUCKETS, struct.pack("=H", BUCKETS))
        idle = attribute_u32(_RES_IDLE, IDLE_S * _USER_HZ)
        body += attribute(_NHA_GROUP_TYPE, struct.pack("=H", _GROUP_RESILIENT))
        body += nested(_NHA_RES_GROUP, buckets, idle)
    return RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE, body


def _hop(number: int, hop: Hop, index: int) -> _Request:
    gateway = ip_address(hop.address)
    family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
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
