"""Replies leave by the interface they belong to: marks (nft), rules and routes, and the reverse-path setting together.

Only interfaces that share a LAN with another one are steered; without any, nothing of this is there at all.
"""

import errno
import ipaddress
import socket
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from vipa.election.events import LocalInterface
from vipa_agent.kernel import marks, ruleset, sets, settings
from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.libnftables import Nft
from vipa_agent.kernel.links import Links
from vipa_agent.kernel.mirror import Change, Mirror
from vipa_agent.kernel.netlink import NetlinkSocket
from vipa_agent.kernel.nfnl import NFPROTO_INET, SetRef, chain_of, jump
from vipa_agent.kernel.routes import NicRoutes, Routes

_MAPS: Final = tuple((family.local, family.out) for family in sets.FAMILIES)
_MIRRORED: Final = (sets.NIC, sets.SWITCHED_ON, sets.BRIDGES[1], *(ref for pair in _MAPS for ref in pair))


class Steering:
    """Table ``inet vipa``, the rules and the route tables. The caller holds the gate's lock.

    ``forwarded_replies``: also steer what pods answer for a Service. It needs conntrack, so it is off where nothing
    else uses that.
    """

    def __init__(
        self,
        mirror: Mirror,
        nft: Nft,
        route_socket: NetlinkSocket,
        *,
        mask: int = marks.DEFAULT_MASK,
        forwarded_replies: bool = False,
    ) -> None:
        marks.limit(mask)
        self._mirror = mirror
        self._nft = nft
        self._route_socket = route_socket
        self._routes = {4: Routes(route_socket, mask), 6: Routes(route_socket, mask, socket.AF_INET6)}
        self._mask = mask
        self._forwarded_replies = forwarded_replies
        self._ways: dict[bytes, str] = {}
        """Interface by which replies of each virtual IP were told to leave last, by its key."""
        self._made: frozenset[int] | None = None
        self._heeding: dict[str, int] = {}
        """Interfaces that must heed marks, and their indexes."""
        self._switched_on: dict[bytes, bytes] = {}
        """Where they did not before: also known to the kernel, as long as nobody deletes our table."""

    def apply(
        self,
        vips: Iterable[str],
        own: Sequence[tuple[str, str]],
        links: Sequence[LocalInterface],
        indexes: Mapping[str, int],
        bridges: Iterable[str] = (),
    ) -> None:
        """Steer these own addresses, and the virtual IPs where they are elected, those of guests behind ``bridges``
        too. Raises RulesetRefused,
        NetlinkRefused, Unsupported (more interfaces than marks)."""
        there = self._load()
        every = [(name, address) for name, address in own if name in indexes]
        wanted = marks.shared_lans(every)
        gated = frozenset(vips)
        ours_now = {sets.address_key(vip) for vip in gated}
        self._ways = {key: interface for key, interface in self._ways.items() if key in ours_now}
        if any(":" in address for address in gated):
            # Replies from a virtual IPv6 address need a way out too where the endpoint is known by its IPv4 address.
            ours = {name for name, _ in every}
            every += [(i.name, a) for i in links if i.name in ours for a in i.addresses if ":" in a]
        if not wanted:
            if there:
                self.remove()
            return
        slots = marks.slots(wanted, self._slots(), self._mask)
        self._make_tables(frozenset(slots.values()))
        for version, routes in self._routes.items():
            of_version = [(n, a) for n, a in every if n in slots and ipaddress.ip_interface(a).version == version]
            routes.apply(self._nic_routes(slots, of_version, links, indexes, version))
        self._heed_marks(slots, indexes)
        nics = {sets.interface_key(name): jump(_chain(slot)) for name, slot in slots.items()}
        own_here = {str(ipaddress.ip_interface(address).ip): name for name, address in every if name in slots}
        maps: dict[SetRef, Mapping[bytes, bytes]] = {sets.NIC: nics, sets.ARP_NIC: nics}
        maps[sets.BRIDGES[1]] = {sets.interface_key(name): b"" for name in bridges}
        for family in sets.FAMILIES:
            of_vips = [vip for vip in gated if sets.family_of(vip) is family]
            of_own = {a: name for a, name in own_here.items() if sets.family_of(a) is family}
            out = self._current_out(family, of_vips, slots)
            out |= {sets.address_key(address): jump(_chain(slots[name])) for address, name in of_own.items()}
            maps[family.local] = {sets.address_key(address): b"" for address in (*of_vips, *of_own)}
            maps[family.out] = out
        self._mirror.sync(maps)

    def doubt(self) -> None:
        """Somebody changed the tables: the next :meth:`apply` makes every chain and rule anew, and reads the sets."""
        self._made = None
        self._mirror.forget(_MIRRORED)
        try:
            self._load()
        except NetlinkRefused:  # a set of ours is gone
            self._nft.run(ruleset.no_tables(("inet",)))

    def is_gone(self) -> bool:
        """Whether table inet vipa should be there and is not."""
        return self._made is not None and not self._mirror.socket.has_table(NFPROTO_INET, sets.TABLE)

    def lacking(self, ready: Container[str]) -> str:
        """What of it somebody has removed, for people; "" for nothing. ``ready``: interfaces whose link is up."""
        if self._made is None:
            return ""
        if lacking := next((lacking for routes in self._routes.values() if (lacking := routes.lacking(ready))), ""):
            return lacking
        off = (
            n
            for n, i in self._heeding.items()
            if settings.read_one(self._route_socket, i, settings.SRC_VALID_MARK) == 0
        )
        return next((f"src_valid_mark of {name}" for name in off), "")

    def flip(self, change: Change, addresses: Sequence[str], interface: str) -> None:
        """Add to a transaction: replies from these virtual IPs leave by ``interface`` from now on."""
        self._ways.update((sets.address_key(address), interface) for address in addresses)
        if sets.NIC not in self._mirror.known:
            return
        slot = self._slots().get(interface)
        for family, of_family in sets.by_family(addresses):
            keys = [sets.address_key(address) for address in of_family]
            if slot is None:
                change.drop(family.out, keys)
            else:
                change.put(family.out, dict.fromkeys(keys, jump(_chain(slot))))

    def remove(self) -> None:
        """Remove all of it and put the reverse-path settings back. Raises RulesetRefused, NetlinkRefused."""
        known = self._mirror.known[sets.SWITCHED_ON] if self._load() else {}
        indexes = Links(self._route_socket).indexes()
        for key in self._switched_on | known:
            ifindex = indexes.get(sets.interface_of(key))
            if ifindex is not None:
                settings.write(self._route_socket, ifindex, settings.SRC_VALID_MARK, 0)
        self._switched_on, self._heeding = {}, {}
        if self._mirror.known.get(sets.ARP_NIC):
            self._mirror.sync({sets.ARP_NIC: {}})
        for routes in self._routes.values():
            routes.apply(())
        self._nft.run(ruleset.no_tables(("inet",)))
        self._mirror.forget(_MIRRORED)
        self._made = None

    def _load(self) -> bool:
        """Whether table inet vipa is there; reads it the first time."""
        if not self._mirror.socket.has_table(NFPROTO_INET, sets.TABLE):
            self._mirror.forget(_MIRRORED)
            self._made = None
            return False
        if sets.NIC not in self._mirror.known:
            try:
                self._mirror.load(_MIRRORED)
            except NetlinkRefused as error:
                if error.code != errno.ENOENT:
                    raise
                # A table of a version that did not know IPv6: completed, then read.
                self._nft.run(ruleset.marks({}, self._mask, forwarded_replies=self._forwarded_replies))
                self._mirror.load(_MIRRORED)
        return True

    def _slots(self) -> dict[str, int]:
        """Slot by interface, as the kernel has it: it outlives the agent."""
        known = self._mirror.known.get(sets.NIC, {})
        chains = {sets.interface_of(key): chain_of(data) for key, data in known.items()}
        return {name: int(chain.removeprefix("mark_")) for name, chain in chains.items()}

    def _make_tables(self, slots: frozenset[int]) -> None:
        if self._made == slots:
            return
        values = {slot: marks.mark_of(slot, self._mask) for slot in slots}
        self._nft.run(ruleset.marks(values, self._mask, forwarded_replies=self._forwarded_replies))
        self._mirror.load(_MIRRORED)
        self._made = slots

    def _heed_marks(self, slots: Mapping[str, int], indexes: Mapping[str, int]) -> None:
        """Turn src_valid_mark on, remembering in the kernel where it was off before."""
        self._heeding = {name: indexes[name] for name in slots}
        current = settings.read(self._route_socket, settings.SRC_VALID_MARK)
        off = [name for name in slots if current.get(indexes[name]) == 0]
        self._switched_on |= dict(self._mirror.known[sets.SWITCHED_ON])
        self._switched_on |= {sets.interface_key(name): b"" for name in off}
        self._mirror.sync({sets.SWITCHED_ON: self._switched_on})
        for name in off:
            settings.write(self._route_socket, indexes[name], settings.SRC_VALID_MARK, 1)

    def _nic_routes(
        self,
        slots: Mapping[str, int],
        own: Sequence[tuple[str, str]],
        links: Sequence[LocalInterface],
        indexes: Mapping[str, int],
        version: int,
    ) -> list[NicRoutes]:
        gateways = marks.gateways(own, links, version)
        networks: dict[str, list[str]] = {}
        for name, address in own:
            networks.setdefault(name, []).append(str(ipaddress.ip_interface(address).network))
        return [
            NicRoutes(
                interface=name,
                ifindex=indexes[name],
                slot=slot,
                mark=marks.mark_of(slot, self._mask),
                networks=tuple(dict.fromkeys(networks[name])),
                gateways=gateways.get(name, ()),
            )
            for name, slot in sorted(slots.items())
            if name in networks
        ]

    def _current_out(self, family: sets.Family, vips: Iterable[str], slots: Mapping[str, int]) -> dict[bytes, bytes]:
        """Where replies of virtual IPs go now: by the election, or as they went (a lingering holder still serves, and
        so does a copy that is not elected); that of what somebody removed is remembered."""
        keys = {sets.address_key(vip) for vip in vips}
        chains = {_chain(slot) for slot in slots.values()}
        out = {k: jump(_chain(slots[on])) for k, on in self._ways.items() if k in keys and on in slots}
        out |= {k: d for k, d in self._mirror.known[family.out].items() if k in keys and chain_of(d) in chains}
        for ref in (family.record.elected, family.record.steady):
            for pair in self._mirror.known[ref]:
                address, interface = sets.pair_of(pair)
                if interface in slots:
                    out[sets.address_key(address)] = jump(_chain(slots[interface]))
        return out


def _chain(slot: int) -> str:
    return f"mark_{slot}"
