"""Bind and unbind virtual IPs as /32 on interfaces.

Scope host: the kernel never picks such an address as source of the node's own connections (inet_select_addr skips it)
yet answers ARP for it with arp_ignore 0 and 1 (2 wants the asker in the NIC's own subnet, 3 excludes scope host). Ours
are told from others by IFA_PROTO, which kernels before 5.18 do not keep: there an address counts as ours when the
gate's set names it.
"""

import errno
import socket
from collections.abc import Callable, Collection, Iterable
from typing import Final

from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, NetlinkSocket, attribute, attribute_u8, attributes
from vipa_agent.kernel.rtnl import (
    IFA_ADDRESS,
    IFA_LOCAL,
    IFA_PROTO,
    IFADDR,
    RT_SCOPE_HOST,
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_NEWADDR,
    VIPA_PROTOCOL,
)
from vipa_agent.kernel.sets import address_key, address_of

_HOST_PREFIX: Final = 32
_GONE: Final = (errno.EADDRNOTAVAIL, errno.ENODEV)


class Addresses:
    """The virtual IPs bound here. ``bound`` is what this agent bound or found of ours: (address, ifindex)."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self._socket = route_socket
        self.bound: set[tuple[str, int]] = set()

    def load(self, is_ours: Callable[[str], bool]) -> None:
        """Read what is bound. ``is_ours`` judges host-scoped /32 addresses that carry no protocol mark."""
        self.bound = self.in_kernel(is_ours)

    def in_kernel(self, is_ours: Callable[[str], bool]) -> set[tuple[str, int]]:
        """Virtual IPs the kernel has now: (address, ifindex)."""
        found: set[tuple[str, int]] = set()
        for body in self._socket.dump(RTM_GETADDR, IFADDR.pack(socket.AF_INET, 0, 0, 0, 0), "list of addresses"):
            parsed = parse_vip(body)
            if parsed is not None:
                address, ifindex, protocol = parsed
                if protocol == VIPA_PROTOCOL or (protocol == 0 and is_ours(address)):
                    found.add((address, ifindex))
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
                refused = refused or (code, f"binding {address}/32 on interface number {ifindex}")
        if refused:
            raise NetlinkRefused(*refused)

    def unbind(self, addresses: Iterable[str], *, but: Collection[int] = ()) -> None:
        """Remove the addresses from every interface ``but`` these; absent is success. Raises NetlinkRefused after
        trying all."""
        gone = set(addresses)
        targets = sorted(pair for pair in self.bound if pair[0] in gone and pair[1] not in but)
        results = self._socket.requests([(RTM_DELADDR, 0, _body(address, ifindex)) for address, ifindex in targets])
        refused: tuple[int, str] | None = None
        for (address, ifindex), code in zip(targets, results, strict=True):
            if code in (0, *_GONE):
                self.bound.discard((address, ifindex))
            else:
                refused = refused or (code, f"removing {address}/32 from interface number {ifindex}")
        if refused:
            raise NetlinkRefused(*refused)


def parse_vip(body: bytes) -> tuple[str, int, int] | None:
    """(address, ifindex, protocol) of a message about an IPv4 /32 of scope host, else None."""
    family, length, _flags, scope, ifindex = IFADDR.unpack_from(body)
    if family != socket.AF_INET or length != _HOST_PREFIX or scope != RT_SCOPE_HOST:
        return None
    found = attributes(body, IFADDR.size)
    return address_of(found[IFA_LOCAL]), ifindex, found.get(IFA_PROTO, b"\0")[0]


def _body(address: str, ifindex: int) -> bytes:
    key = address_key(address)
    return (
        IFADDR.pack(socket.AF_INET, _HOST_PREFIX, 0, RT_SCOPE_HOST, ifindex)
        + attribute(IFA_LOCAL, key)
        + attribute(IFA_ADDRESS, key)
        + attribute_u8(IFA_PROTO, VIPA_PROTOCOL)
    )
