"""The gate: the tables that let one interface answer for a virtual IP, and only while its permit lives.

``guard`` says what is gated; the flips (flips.py) say who answers. Set-up never touches ``alive``, ``elected`` and
``steady``: a restarted agent finds them as they were.
"""

import ipaddress
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vipa_agent.kernel import ruleset, sets
from vipa_agent.kernel.errors import RulesetRefused
from vipa_agent.kernel.libnftables import Nft
from vipa_agent.kernel.mirror import Mirror
from vipa_agent.kernel.nfnl import NFPROTO_NETDEV, Batch, Element, NftSocket, SetRef, value

_ELECTIONS: Final = tuple(elections for family in sets.FAMILIES for elections in family.all)
_MIRRORED: Final = (
    sets.OWN,
    sets.ARP_NIC,
    sets.BRIDGES[0],
    sets.BEFORE,
    *(ref for family in sets.FAMILIES for ref in (family.ifaddr, family.guarded)),
    *(ref for elections in _ELECTIONS for ref in (elections.elected, elections.steady, elections.vips)),
)


class Gate:
    """Tables ``arp vipa``, ``ip6 vipa`` and ``netdev vipa``. ``lock`` is held around whatever touches the sets: the
    renewal thread takes it too."""

    def __init__(self, nft: Nft, nft_socket: NftSocket) -> None:
        self.lock = threading.RLock()
        self.mirror = Mirror(nft_socket)
        self._nft = nft
        self._socket = nft_socket
        self._ready = False
        self._doubted = True

    def open(self) -> None:
        """Make the tables if they are not there, read what they hold. Raises RulesetRefused, NetlinkRefused."""
        with self.lock:
            there = self.intact()  # asked first: without the right to ask, this error is the clearest
            if not there or not self._ready:
                self._nft.run(ruleset.gate())
                self.mirror.load(_MIRRORED)
                self._level()
                self._ready = True

    def remake(self) -> None:
        """Somebody changed the tables: every chain and rule anew, and the sets as they are now. Raises RulesetRefused,
        NetlinkRefused."""
        with self.lock:
            try:
                self._nft.run(ruleset.gate())
            except RulesetRefused:  # something of ours became another kind of thing
                self._nft.run(f"{ruleset.no_tables(sets.GATE_TABLES)}\n{ruleset.gate()}")
            self.mirror.load(_MIRRORED)
            self._ready = self._doubted = True

    def intact(self) -> bool:
        """Whether the tables are there; ``flush ruleset`` by another program removes the fence."""
        return not self.gone()

    def gone(self) -> frozenset[str]:
        """Those that are not, as "table arp vipa"."""
        with self.lock:
            of = sets.GATE_TABLES.items()
            return frozenset(f"table {n} {sets.TABLE}" for n, f in of if not self._socket.has_table(f, sets.TABLE))

    def _level(self) -> None:
        """A permit that one table has and another, made just now, has not: by an agent that did not know that table
        yet (an upgrade), or since somebody removed it. It gets the rest of the permit's life where nothing is elected
        for it; elsewhere it lapses with the next renewal."""
        lives: dict[bytes, int] = {}
        by_table = {ref: {e.key: e.expires_ms or 0 for e in self._socket.elements(ref)} for ref in sets.ALIVE}
        for alive in by_table.values():
            for key, left_ms in alive.items():
                lives[key] = min(lives.get(key, left_ms), left_ms)
        for ref, alive in by_table.items():
            missing = [Element(key, timeout_ms=left) for key, left in lives.items() if key not in alive and left]
            if missing and not any(self.mirror.known[e.elected] for e in _ELECTIONS if e.elected.family == ref.family):
                batch = Batch()
                batch.add(ref, missing)
                self._socket.commit(batch.build())

    def guard(
        self,
        vips: Iterable[str],
        own: Sequence[tuple[str, str]],
        devices: Mapping[int, str],
        senders6: Mapping[str, str],
        bridges: Iterable[str] = (),
    ) -> None:
        """Gate exactly these virtual IPs, and each own address to its interface.

        own: (interface, own address with prefix length). devices: name by ifindex of every interface that must not leak
        announcements. senders6: the IPv6 address by which each asks when a virtual IP must not. bridges: with guests
        behind them, that are not gated. What was gated stays gated throughout. Raises RulesetRefused, NetlinkRefused.
        """
        gated: dict[sets.Family, list[str]] = {family: [] for family in sets.FAMILIES}
        gated |= dict(sets.by_family(vips))
        with self.lock:
            self.open()
            chains = self._socket.chains(NFPROTO_NETDEV, sets.TABLE)
            if text := ruleset.devices(devices, chains, anew=self._doubted):
                self._nft.run(text)
            self._doubted = False
            addresses = [(name, str(ipaddress.ip_interface(address).ip)) for name, address in own]
            own4 = [(name, address) for name, address in addresses if ":" not in address]
            wanted: dict[SetRef, Mapping[bytes, bytes]] = {
                # An IPv6 address is answered for by its own interface alone: only those of IPv4 need gating.
                sets.OWN: {sets.pair_key(address, name): b"" for name, address in own4},
                sets.BRIDGES[0]: {sets.interface_key(name): b"" for name in bridges},
            }
            senders = {sets.IPV4: dict(reversed(own4)), sets.IPV6: senders6}
            for family, of_family in gated.items():
                wanted |= self._wanted(family, of_family, senders[family])
            wanted[sets.IPV4.guarded] = {**wanted[sets.IPV4.guarded], **{sets.address_key(a): b"" for _, a in own4}}
            self.mirror.sync(wanted)

    def _wanted(
        self, family: sets.Family, vips: Iterable[str], senders: Mapping[str, str]
    ) -> dict[SetRef, Mapping[bytes, bytes]]:
        """What the sets of one family are to hold. Elections of addresses that are no virtual IPs any more go."""
        keys = {sets.address_key(vip): b"" for vip in vips}
        found: dict[SetRef, Mapping[bytes, bytes]] = {
            family.ifaddr: {sets.interface_key(n): value(sets.address_key(a)) for n, a in senders.items()},
            family.guarded: keys,
        }
        for elections in family.all:
            found[elections.vips] = keys
            for ref in (elections.elected, elections.steady):
                found[ref] = {pair: b"" for pair in self.mirror.known[ref] if pair[: -sets.IFNAMSIZ] in keys}
        return found

    def release(self, vips: Iterable[str]) -> None:
        """Stop gating these addresses, which are bound no more."""
        keys = {sets.address_key(vip) for vip in vips}
        with self.lock:
            known = self.mirror.known
            wanted: dict[SetRef, Mapping[bytes, bytes]] = {}
            for family in sets.FAMILIES:
                plain = (family.guarded, *(e.vips for e in family.all), family.local, family.out)
                for ref in (ref for ref in plain if ref in known):
                    wanted[ref] = {key: data for key, data in known[ref].items() if key not in keys}
                for ref in (ref for e in family.all for ref in (e.elected, e.steady)):
                    wanted[ref] = {pair: b"" for pair in known[ref] if pair[: -sets.IFNAMSIZ] not in keys}
            self.mirror.sync(wanted)

    def vips(self) -> set[str]:
        """The virtual IPs gated now."""
        known = self.mirror.known
        return {sets.address_of(key) for family in sets.FAMILIES for key in known.get(family.record.vips, {})}

    def ungated(self, addresses: Iterable[str]) -> set[str]:
        """Those of ``addresses`` that are not gated now; costs nothing for all others that are."""
        known = self.mirror.known
        return {a for a in addresses if sets.address_key(a) not in known.get(sets.family_of(a).record.vips, {})}

    def remove(self) -> None:
        """Delete the tables. Raises RulesetRefused."""
        with self.lock:
            self._nft.run(ruleset.no_tables(sets.GATE_TABLES))
            self.mirror.forget(_MIRRORED)
            self._ready = False
