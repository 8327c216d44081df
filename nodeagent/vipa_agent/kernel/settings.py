"""Per-interface IPv4 settings through RTM_SETLINK: a pod has /proc/sys read-only, NET_ADMIN is enough for this."""

import errno
import socket
import struct
from typing import Final

from vipa_agent.kernel.netlink import NetlinkSocket, attribute_u32, attributes, nested
from vipa_agent.kernel.rtnl import (
    IFINFO,
    IFLA_AF_SPEC,
    IFLA_EXT_MASK,
    IFLA_INET_CONF,
    RTEXT_FILTER_SKIP_STATS,
    RTM_GETLINK,
    RTM_SETLINK,
)

SRC_VALID_MARK: Final = 24
"""IPV4_DEVCONF_SRC_VMARK (include/uapi/linux/ip.h): the reverse-path check heeds the packet's mark. The kernel ORs it
with ``all``, so setting the interface is enough."""


def read(route_socket: NetlinkSocket, setting: int) -> dict[int, int]:
    """Value of one setting by ifindex."""
    body = IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0) + attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    found = {
        IFINFO.unpack_from(b)[3]: _value(b, setting) for b in route_socket.dump(RTM_GETLINK, body, "list of interfaces")
    }
    return {ifindex: value for ifindex, value in found.items() if value is not None}


def read_one(route_socket: NetlinkSocket, ifindex: int, setting: int) -> int | None:
    """Value of one setting of one interface; None when it is gone."""
    body = IFINFO.pack(socket.AF_UNSPEC, 0, 0, ifindex, 0, 0) + attribute_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    link = route_socket.get(RTM_GETLINK, body)
    return None if link is None else _value(link, setting)


def _value(link: bytes, setting: int) -> int | None:
    families = attributes(attributes(link, IFINFO.size).get(IFLA_AF_SPEC, b""))
    table = attributes(families.get(socket.AF_INET, b"")).get(IFLA_INET_CONF, b"")
    return int(struct.unpack_from("=I", table, 4 * (setting - 1))[0]) if len(table) >= 4 * setting else None


def write(route_socket: NetlinkSocket, ifindex: int, setting: int, value: int) -> bool:
    """Set one setting; False when the interface is gone. Raises NetlinkRefused for anything else."""
    conf = nested(IFLA_INET_CONF, attribute_u32(setting, value))
    body = IFINFO.pack(socket.AF_UNSPEC, 0, 0, ifindex, 0, 0) + nested(IFLA_AF_SPEC, nested(socket.AF_INET, conf))
    what = f"setting {setting} of interface number {ifindex}"
    return route_socket.request(RTM_SETLINK, 0, body, what, fine=(errno.ENODEV,)) == 0
