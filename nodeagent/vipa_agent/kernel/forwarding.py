"""What the kernel must be set to for guests behind bridges: forward, and answer for others at once.

IPv4 and the delays are set by netlink, which a pod may; IPv6 knows only /proc/sys, which a pod may read. What was found
otherwise is remembered in a map of the gate's table, so that it can be put back by whoever comes later. IPv6 forwarding
is left alone: switching it on turns a host into a router, which heeds router advertisements no more.
"""

import socket
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from vipa_agent.kernel import sets, settings
from vipa_agent.kernel.mirror import Mirror
from vipa_agent.kernel.netlink import (
    NetlinkSocket,
    attribute_text,
    attribute_u32,
    attribute_u64,
    attributes,
    nested,
)
from vipa_agent.kernel.nfnl import value, value_of
from vipa_agent.kernel.rtnl import RTM_GETNEIGHTBL, RTM_SETNEIGHTBL

FORWARDING: Final = 1
PROXY_ARP: Final = 3
"""IPV4_DEVCONF_FORWARDING and _PROXY_ARP (include/uapi/linux/ip.h)."""
DELAY4: Final = 1001
DELAY6: Final = 1002
"""Milliseconds that the kernel waits at most before it answers a broadcast for another: 800 unless told."""
NDP: Final = 1003
"""net.ipv6.conf.all.proxy_ndp: with that of an interface alone, who asks by unicast gets no answer (ip6_forward)."""

_NAMES: Final = {FORWARDING: "forwarding", PROXY_ARP: "proxy_arp", DELAY4: "proxy_delay", DELAY6: "proxy_delay (IPv6)"}
_TABLES: Final = {DELAY4: ("arp_cache", socket.AF_INET), DELAY6: ("ndisc_cache", socket.AF_INET6)}
_NDTA_NAME, _NDTA_PARMS = 1, 6
_NDTPA_IFINDEX, _NDTPA_PROXY_DELAY = 1, 13
_NDTMSG: Final = struct.Struct("=BBH")
_U32: Final = struct.Struct("=I")
_U64: Final = struct.Struct("=Q")
_ALL6: Final = Path("/proc/sys/net/ipv6/conf/all")

Key = tuple[int, str]
"""(setting, interface or "all")."""


class Forwarding:
    """The settings of one node. The caller holds the gate's lock."""

    def __init__(self, mirror: Mirror, route_socket: NetlinkSocket) -> None:
        self._mirror = mirror
        self._socket = route_socket
        self._before: dict[Key, int] = {}
        """What is to be put back: also known to the kernel, as long as nobody deletes our table."""
        self._wanted: dict[Key, int] = {}

    def apply(self, nics: Iterable[str], bridges: Iterable[str], *, six: bool, indexes: Mapping[str, int]) -> None:
        """Forward between these interfaces and bridges, and answer for guests: whole set; what is not wanted any more
        is as it was. ``six``: some have IPv6 addresses. Raises NetlinkRefused."""
        inner, outer = set(bridges) & indexes.keys(), set(nics) & indexes.keys()
        wanted: dict[Key, int] = {}
        if inner:
            wanted |= {(FORWARDING, name): 1 for name in inner | outer} | {(PROXY_ARP, name): 1 for name in inner}
            wanted |= {(DELAY4, name): 0 for name in outer}
            wanted |= {(DELAY6, name): 0 for name in outer if six} | ({(NDP, "all"): 1} if six else {})
        self._wanted = wanted
        self._before |= {_key_of(key): _value_of(data) for key, data in self._mirror.known[sets.BEFORE].items()}
        if not wanted and not self._before:
            return
        now = self._read(indexes)
        other = {key: now[key] for key, to in wanted.items() if now.get(key, to) != to}
        back = {key: was for key, was in self._before.items() if key not in wanted}
        if back and _forwards4():  # somebody switched it on for all meanwhile, Docker or a CNI say: theirs now
            back = {key: was for key, was in back.items() if key[0] != FORWARDING}
            self._before = {key: was for key, was in self._before.items() if key in wanted or key in back}
        self._before = {k: v for k, v in (other | self._before).items() if k not in back}
        self._remember(self._before | back)  # first: who is killed in between leaves no change without its memory
        for key, to in ({key: wanted[key] for key in other} | back).items():
            self._write(key, to, indexes)
        self._remember(self._before)

    def remove(self, indexes: Mapping[str, int]) -> None:
        """Put everything back. Raises NetlinkRefused."""
        if sets.BEFORE in self._mirror.known:
            self.apply((), (), six=False, indexes=indexes)

    def lacking(self, indexes: Mapping[str, int]) -> str:
        """A setting that somebody changed, for people; "" for none."""
        if not self._wanted:
            return ""
        now = self._read(indexes)
        wrong = (key for key, to in self._wanted.items() if key[0] != NDP and now.get(key, to) != to)
        return next((f"{_NAMES[setting]} of {name}" for setting, name in wrong), "")

    def _remember(self, before: Mapping[Key, int]) -> None:
        self._mirror.sync({sets.BEFORE: {_key(key): value(_U32.pack(was)) for key, was in before.items()}})

    def _read(self, indexes: Mapping[str, int]) -> dict[Key, int]:
        found: dict[Key, int] = {}
        names = {ifindex: name for name, ifindex in indexes.items()}
        for setting in (FORWARDING, PROXY_ARP):
            read = settings.read(self._socket, setting)
            found |= {(setting, names[ifindex]): to for ifindex, to in read.items() if ifindex in names}
        for setting, (table, family) in _TABLES.items():
            for body in self._socket.dump(RTM_GETNEIGHTBL, _NDTMSG.pack(family, 0, 0), "settings of neighbours"):
                parsed = attributes(body, _NDTMSG.size)
                parms = attributes(parsed.get(_NDTA_PARMS, b""))
                of = parsed.get(_NDTA_NAME, b"").rstrip(b"\0").decode()
                if of == table and _NDTPA_IFINDEX in parms and _U32.unpack(parms[_NDTPA_IFINDEX])[0] in names:
                    name = names[_U32.unpack(parms[_NDTPA_IFINDEX])[0]]
                    found[setting, name] = _U64.unpack(parms[_NDTPA_PROXY_DELAY])[0]
        ndp = read6("proxy_ndp")
        return found if ndp is None else found | {(NDP, "all"): ndp}

    def _write(self, key: Key, to: int, indexes: Mapping[str, int]) -> None:
        setting, name = key
        if setting == NDP:
            write6("proxy_ndp", to)
        elif name not in indexes:
            return
        elif setting in _TABLES:
            table, family = _TABLES[setting]
            parms = attribute_u32(_NDTPA_IFINDEX, indexes[name]) + attribute_u64(_NDTPA_PROXY_DELAY, to)
            body = _NDTMSG.pack(family, 0, 0) + attribute_text(_NDTA_NAME, table) + nested(_NDTA_PARMS, parms)
            self._socket.request(RTM_SETNEIGHTBL, 0, body, f"{_NAMES[setting]} of {name}")
        else:
            settings.write(self._socket, indexes[name], setting, to)


def _forwards4() -> bool:
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


def _key(key: Key) -> bytes:
    return sets.interface_key(key[1]) + _U32.pack(key[0])


def _key_of(key: bytes) -> Key:
    return int(_U32.unpack(key[sets.IFNAMSIZ :])[0]), sets.interface_of(key[: sets.IFNAMSIZ])


def _value_of(data: bytes) -> int:
    return int(_U32.unpack(value_of(data))[0])
