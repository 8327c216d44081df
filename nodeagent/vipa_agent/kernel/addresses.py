"""Bind and unbind virtual IPs as /32 and /128 on interfaces.

IPv4, scope host: the kernel never picks such an address as source of the node's own connections (inet_select_addr skips
it) yet answers ARP for it with arp_ignore 0 and 1 (2 wants the asker in the NIC's own subnet, 3 excludes it). IPv6:
deprecated from the start, for the same end, and without duplicate address detection: the election has asked the LAN,
and a tentative address is not answered for. Ours are told from others by IFA_PROTO, which kernels before 5.18 do not
keep: there an address counts as ours when the gate's set names it.
"""

import errno
import socket
import struct
from collections.abc import Callable, Collection, Iterable, Iterator
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
from vipa_agent.kernel.rtnl import (
    IFA_ADDRESS,
    IFA_CACHEINFO,
    IFA_F_DADFAILED,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_TENTATIVE,
    IFA_FLAGS,
    IFA_LOCAL,
    IFA_PROTO,
    IFADDR,
    RT_SCOPE_HOST,
    RT_SCOPE_UNIVERSE,
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_NEWADDR,
    VIPA_PROTOCOL,
)
from vipa_agent.kernel.sets import address_key, address_of

_HOST_PREFIX: Final = {socket.AF_INET: 32, socket.AF_INET6: 128}
_GONE: Final = (errno.EADDRNOTAVAIL, errno.ENODEV)
_NO_IPV6: Final = (errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
"""A kernel started with ipv6.disable=1 has no IPv6 addresses to list."""
_DEPRECATED: Final = attribute(IFA_CACHEINFO, struct.pack("=IIII", 0, 0xFFFFFFFF, 0, 0))
"""struct ifa_cacheinfo: preferred for 0 s, valid for ever."""
_FLAGS6: Final = attribute_u32(IFA_FLAGS, IFA_F_NODAD | IFA_F_NOPREFIXROUTE)


class Addresses:
    """The virtual IPs bound here. ``bound`` is what this agent bound or found of ours: (address, ifindex)."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self._socket = route_socket
        self.bound: set[tuple[str, int]] = set()
        self._parsed: dict[bytes, tuple[str, int, int] | None] = {}
        """What the messages of the last list say: most of the next one's are the same, and parsing costs most."""

    def load(self, is_ours: Callable[[str], bool]) -> None:
        """Read what is bound. ``is_ours`` judges /32 of scope host and /128 that carry no protocol mark."""
        self.bound = self.in_kernel(is_ours)

    def in_kernel(self, is_ours: Callable[[str], bool]) -> set[tuple[str, int]]:
        """Virtual IPs the kernel has now: (address, ifindex)."""
        found: set[tuple[str, int]] = set()
        known, self._parsed = self._parsed, {}
        for body in dump(self._socket):
            parsed = self._parsed[body] = known[body] if body in known else parse_vip(body)
            if parsed is not None:
                address, ifindex, protocol = parsed
                if protocol == VIPA_PROTOCOL or (protocol == 0 and is_ours(address)):
                    found.add((address, ifindex))
        return found

    def undecided(self, ifindex: int) -> set[str]:
        """IPv6 addresses of an interface for which the kernel does not answer: tentative, or duplicates."""
        body = IFADDR.pack(socket.AF_INET6, 0, 0, 0, ifindex)
        found: set[str] = set()
        for entry in self._socket.dump(RTM_GETADDR, body, "list of addresses", fine=(*_NO_IPV6, errno.ENODEV)):
            _family, _length, flags, _scope, on = IFADDR.unpack_from(entry)
            if on == ifindex and flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED):
                found.add(address_of(attributes(entry, IFADDR.size)[IFA_ADDRESS]))
        return found

    def bind(self, addresses: Iterable[str], ifindexes: Iterable[int]) -> None:
        """Bind every address on every interface; bound already is success. Raises NetlinkRefused after trying all."""
        every = tuple(ifindexes)
        wanted = [(address, ifindex) for address in addresses for ifindex in every]
        results = self._socket.requests(
            [(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _body(address, ifindex)) for address, ifindex in wanted]
        )
        refused: tuple[int, str] | None = None
        for (address, ifindex), code in zip(wanted, results, strict=True):
            if code in (0, errno.EEXIST):
                self.bound.add((address, ifindex))
            else:
                refused = refused or (code, _binding(address, ifindex, code))
        if refused:
            raise NetlinkRefused(*refused)

    def unbind(self, addresses: Iterable[str], *, but: Collection[int] = ()) -> None:
        """Remove the addresses from every interface ``but`` these; absent is success. Raises NetlinkRefused after
        trying all."""
        gone = set(addresses)
        if not gone:
            return
        among = {ifindex for _, ifindex in self.bound}.difference(but)  # thousands are bound, on a few interfaces
        targets = sorted(pair for address in gone for pair in ((address, i) for i in among) if pair in self.bound)
        results = self._socket.requests([(RTM_DELADDR, 0, _body(address, ifindex)) for address, ifindex in targets])
        refused: tuple[int, str] | None = None
        for (address, ifindex), code in zip(targets, results, strict=True):
            if code in (0, *_GONE):
                self.bound.discard((address, ifindex))
            else:
                refused = refused or (code, f"removing {address} from interface number {ifindex}")
        if refused:
            raise NetlinkRefused(*refused)


def dump(route_socket: NetlinkSocket) -> Iterator[bytes]:
    """Every address of the node, IPv4 first: the bodies of RTM_NEWADDR messages."""
    for family, fine in ((socket.AF_INET, ()), (socket.AF_INET6, _NO_IPV6)):
        for body in route_socket.dump(RTM_GETADDR, IFADDR.pack(family, 0, 0, 0, 0), "list of addresses", fine=fine):
            if body[0] == family:
                yield body


def parse_vip(body: bytes) -> tuple[str, int, int] | None:
    """(address, ifindex, protocol) of a message about a /32 of scope host or a /128, else None."""
    family, length, _flags, scope, ifindex = IFADDR.unpack_from(body)
    if not may_be_vip(family, length, scope):
        return None
    found = attributes(body, IFADDR.size)
    return address_of(found.get(IFA_LOCAL, found[IFA_ADDRESS])), ifindex, found.get(IFA_PROTO, b"\0")[0]


def may_be_vip(family: int, length: int, scope: int) -> bool:
    """Judged by an address message's header alone, since there are thousands: the scope and length of a virtual IP."""
    if family == socket.AF_INET:
        return length == _HOST_PREFIX[socket.AF_INET] and scope == RT_SCOPE_HOST
    return length == _HOST_PREFIX[socket.AF_INET6] and scope == RT_SCOPE_UNIVERSE


def _body(address: str, ifindex: int) -> bytes:
    key = address_key(address)
    six = len(key) == 16
    family, scope = (socket.AF_INET6, RT_SCOPE_UNIVERSE) if six else (socket.AF_INET, RT_SCOPE_HOST)
    return (
        IFADDR.pack(family, _HOST_PREFIX[family], 0, scope, ifindex)
        + attribute(IFA_LOCAL, key)
        + attribute(IFA_ADDRESS, key)
        + attribute_u8(IFA_PROTO, VIPA_PROTOCOL)
        + (_FLAGS6 + _DEPRECATED if six else b"")
    )


def _binding(address: str, ifindex: int, code: int) -> str:
    what = f"binding {address} on interface number {ifindex}"
    if ":" in address and code == errno.EACCES:
        return f"{what} (IPv6 is switched off there: set net.ipv6.conf.INTERFACE.disable_ipv6=0)"
    return what
