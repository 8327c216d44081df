"""Names and layouts of rtnetlink used by more than one file (include/uapi/linux/{rtnetlink,if_link,if_addr}.h)."""

import struct
from typing import Final

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_SETLINK: Final = 19
RTM_NEWADDR: Final = 20
RTM_DELADDR: Final = 21
RTM_GETADDR: Final = 22
RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
RTM_NEWNEIGH: Final = 28
RTM_DELNEIGH: Final = 29
RTM_GETNEIGH: Final = 30
RTM_NEWRULE: Final = 32
RTM_DELRULE: Final = 33
RTM_GETRULE: Final = 34
RTM_GETNEIGHTBL: Final = 66
RTM_SETNEIGHTBL: Final = 67

IFINFO: Final = struct.Struct("=BBHiII")
"""family, padding, ARP hardware type, ifindex, flags, change mask."""
IFADDR: Final = struct.Struct("=BBBBI")
"""family, prefix length, flags, scope, ifindex."""
RTMSG: Final = struct.Struct("=BBBBBBBBI")
"""family, dst length, src length, tos, table, protocol, scope, type, flags."""

NDMSG: Final = struct.Struct("=BBHiHBB")
"""family, padding (2), ifindex, state, flags, type."""

IFLA_ADDRESS: Final = 1
IFLA_IFNAME: Final = 3
IFLA_AF_SPEC: Final = 26
IFLA_EXT_MASK: Final = 29
IFLA_INET_CONF: Final = 1
IFLA_INET6_CONF: Final = 2
RTEXT_FILTER_SKIP_STATS: Final = 8

IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2
IFA_CACHEINFO: Final = 6
IFA_FLAGS: Final = 8
IFA_PROTO: Final = 11

IFA_F_TEMPORARY: Final = 0x01
IFA_F_NODAD: Final = 0x02
IFA_F_DADFAILED: Final = 0x08
IFA_F_TENTATIVE: Final = 0x40
IFA_F_NOPREFIXROUTE: Final = 0x200
FRA_PROTOCOL: Final = 21

RTA_DST: Final = 1
RTA_OIF: Final = 4
RTA_GATEWAY: Final = 5
RTA_MULTIPATH: Final = 9
RTA_TABLE: Final = 15

RT_TABLE_MAIN: Final = 254
RT_SCOPE_UNIVERSE: Final = 0
RT_SCOPE_LINK: Final = 253
RT_SCOPE_HOST: Final = 254

IFF_UP: Final = 0x1
IFF_LOOPBACK: Final = 0x8
IFF_LOWER_UP: Final = 0x10000
"""Carrier at this moment; IFF_RUNNING and operstate follow up to a second later (linkwatch)."""

VIPA_PROTOCOL: Final = 118
"""Marks addresses (IFA_PROTO), routes and rules as ours. "v" in ASCII; unassigned in iproute2's rt_protos."""
