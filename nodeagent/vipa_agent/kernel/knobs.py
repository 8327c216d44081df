"""The kernel's settings that guests behind bridges need, read and written: by netlink, which a pod may, as far as there
is a way; IPv6 knows only /proc/sys, which a pod may read.
"""

import errno
import socket
import struct
from pathlib import Path
from typing import Final, NamedTuple

from vipa_agent.kernel import settings
from vipa_agent.kernel.netlink import (
    NetlinkSocket,
    attribute_text,
    attribute_u32,
    attribute_u64,
    attributes,
    nested,
)
from vipa_agent.kernel.rtnl import RTM_GETNEIGHTBL, RTM_SETNEIGHTBL

FORWARDING: Final = 1
PROXY_ARP: Final = 3
"""IPV4_DEVCONF_FORWARDING and _PROXY_ARP (include/uapi/linux/ip.h)."""
DELAY4: Final = 1001
DELAY6: Final = 1002
"""Milliseconds that the kernel waits at most before it answers a broadcast for another: 800 unless told."""
NDP: Final = 1003
"""net.ipv6.conf.all.proxy_ndp: with that of an interface alone, who asks by unicast gets no answer (ip6_forward)."""

NAMES: Final = {
    FORWARDING: "forwarding",
    PROXY_ARP: "proxy_arp",
    DELAY4: "proxy_delay",
    DELAY6: "proxy_delay (IPv6)",
    NDP: "proxy_ndp",
}
ALL: Final = 0
"""Instead of an interface's number: the node as a whole."""

_TABLES: Final = {DELAY4: ("arp_cache", socket.AF_INET), DELAY6: ("ndisc_cache", socket.AF_INET6)}
_NDTA_NAME, _NDTA_PARMS = 1, 6
_NDTPA_IFINDEX, _NDTPA_PROXY_DELAY = 1, 13
_NDTMSG: Final = struct.Struct("=BBH")
_U32: Final = struct.Struct("=I")
_U64: Final = struct.Struct("=Q")
_ALL6: Final = Path("/proc/sys/net/ipv6/conf/all")


class Key(NamedTuple):
    """One setting of one interface, by its number: names change."""

    setting: int
    ifindex: int


class Knobs:
    """The settings of one node."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self._socket = route_socket

    def read(self) -> dict[Key, int]:
        """All that there is."""
        found: dict[Key, int] = {}
        for setting in (FORWARDING, PROXY_ARP):
            found |= {Key(setting, ifindex): to for ifindex, to in settings.read(self._socket, setting).items()}
        for setting, (table, family) in _TABLES.items():
            for body in self._socket.dump(RTM_GETNEIGHTBL, _NDTMSG.pack(family, 0, 0), "settings of neighbours"):
                parsed = attributes(body, _NDTMSG.size)
                parms = attributes(parsed.get(_NDTA_PARMS, b""))
                of = parsed.get(_NDTA_NAME, b"").rstrip(b"\0").decode()
                if of == table and _NDTPA_IFINDEX in parms:
                    key = Key(setting, _U32.unpack(parms[_NDTPA_IFINDEX])[0])
                    found[key] = _U64.unpack(parms[_NDTPA_PROXY_DELAY])[0]
        ndp = read6("proxy_ndp")
        return found if ndp is None else found | {Key(NDP, ALL): ndp}

    def write(self, key: Key, to: int) -> bool:
        """Set one; False for an interface that is gone, or what this process may not write. Raises NetlinkRefused for
        anything else."""
        if key.setting == NDP:
            return write6("proxy_ndp", to)
        if key.setting not in _TABLES:
            return settings.write(self._socket, key.ifindex, key.setting, to)
        table, family = _TABLES[key.setting]
        parms = attribute_u32(_NDTPA_IFINDEX, key.ifindex) + attribute_u64(_NDTPA_PROXY_DELAY, to)
        body = _NDTMSG.pack(family, 0, 0) + attribute_text(_NDTA_NAME, table) + nested(_NDTA_PARMS, parms)
        what = f"{NAMES[key.setting]} of interface number {key.ifindex}"
        return self._socket.request(RTM_SETNEIGHTBL, 0, body, what, fine=(errno.ENOENT, errno.ENODEV)) == 0

    def forwards4(self) -> bool:
        """Whether the node forwards IPv4 between all of its interfaces."""
        return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() == "1"


def unfit6() -> str:
    """Why IPv6 guests cannot be served by this node, for people; "" when they can."""
    if read6("forwarding") != 1:
        return "this node does not forward IPv6: set net.ipv6.conf.all.forwarding=1"
    if read6("proxy_ndp") != 1:
        return "this node does not answer neighbour discovery for others: set net.ipv6.conf.all.proxy_ndp=1"
    return ""


def read6(setting: str) -> int | None:
    """net.ipv6.conf.all.SETTING; None on a kernel without IPv6."""
    try:
        return int((_ALL6 / setting).read_text())
    except OSError:
        return None


def write6(setting: str, to: int) -> bool:
    """Set it; False where that may not be written, as in a pod."""
    try:
        (_ALL6 / setting).write_text(str(to))
    except OSError:
        return False
    return True
