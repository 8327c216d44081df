"""The gate: the tables that let one interface answer for a virtual IP, and only while its permit lives.

``guard`` says what is gated; the flips (flips.py) say who answers. Set-up never touches ``alive``, ``elected`` and
``steady``: a restarted agent finds them as they were.
"""

import ipaddress
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from vipa_agent.kernel import ruleset, sets
from vipa_agent.kernel.libnftables import Nft
from vipa_agent.kernel.mirror import Mirror
from vipa_agent.kernel.nfnl import NFPROTO_ARP, NFPROTO_NETDEV, NftSocket, SetRef, value

_MIRRORED: Final = (
    sets.OWN,
    sets.IFADDR,
    sets.ARP_NIC,
    sets.GUARDED,
    *(ref for table in sets.GATE_TABLES for ref in (table.elected, table.steady, table.vips)),
)


class Gate:
    """Tables ``arp vipa`` and ``netdev vipa``. ``lock`` is held around whatever touches the sets: the renewal thread
    takes it too."""

    def __init__(self, nft: Nft, nft_socket: NftSocket) -> None:
        self.lock = threading.RLock()
        self.mirror = Mirror(nft_socket)
        self._nft = nft
        self._socket = nft_socket
        self._ready = False

    def open(self) -> None:
        """Make the tables if they are not there, read what they hold. Raises RulesetRefused, NetlinkRefused."""
        with self.lock:
            there = self.intact()  # asked first: without the right to ask, this error is the clearest
            if not there or not self._ready:
                self._nft.run(ruleset.gate())
                self.mirror.load(_MIRRORED)
                self._ready = True

    def intact(self) -> bool:
        """Whether both tables are there; ``flush ruleset`` by another program removes the fence."""
        with self.lock:
            return all(self._socket.has_table(family, sets.TABLE) for family in (NFPROTO_ARP, NFPROTO_NETDEV))

    def guard(self, vips: Iterable[str], own: Sequence[tuple[str, str]], devices: Mapping[int, str]) -> None:
        """Gate exactly these virtual IPs, and each own address to its interface.

        own: (interface, own address with prefix length). devices: name by ifindex of every interface that must not leak
        announcements. What was gated stays gated throughout. Raises RulesetRefused, NetlinkRefused.
        """
        vip_keys = {sets.address_key(vip): b"" for vip in vips}
        addresses = [(name, str(ipaddress.ip_interface(address).ip)) for name, address in own]
        own_keys = {sets.pair_key(address, name): b"" for name, address in addresses}
        first = dict(reversed(addresses))
        with self.lock:
            self.open()
            chains = self._socket.chains(NFPROTO_NETDEV, sets.TABLE)
            text = ruleset.devices(devices, chains)
            if text:
                self._nft.run(text)
            pairs = self._kept_pairs(vip_keys)
            wanted: dict[SetRef, Mapping[bytes, bytes]] = {
                sets.OWN: own_keys,
                sets.IFADDR: {sets.interface_key(n): value(sets.address_key(a)) for n, a in first.items()},
                sets.EGRESS.vips: vip_keys,
                sets.ARP.vips: vip_keys,
                sets.GUARDED: vip_keys | {sets.address_key(address): b"" for _name, address in addresses},
                **pairs,
            }
            self.mirror.sync(wanted)

    def release(self, vips: Iterable[str]) -> None:
        """Stop gating these addresses, which are bound no more."""
        keys = {sets.address_key(vip) for vip in vips}
        with self.lock:
            known = self.mirror.known
            refs = (sets.GUARDED, *(ref for t in sets.GATE_TABLES for ref in (t.vips, t.elected, t.steady)))
            extra = [ref for ref in (sets.LOCAL4, sets.OUT4) if ref in known]
            self.mirror.sync(
                {ref: {k: d for k, d in known[ref].items() if k[:4] not in keys} for ref in (*refs, *extra)}
            )

    def vips(self) -> set[str]:
        """The virtual IPs gated now."""
        return {sets.address_of(key) for key in self.mirror.known.get(sets.ARP.vips, {})}

    def remove(self) -> None:
        """Delete the tables. Raises RulesetRefused."""
        with self.lock:
            self._nft.run(ruleset.no_tables(("arp", "netdev")))
            self.mirror.forget(_MIRRORED)
            self._ready = False

    def _kept_pairs(self, vip_keys: Mapping[bytes, bytes]) -> dict[SetRef, Mapping[bytes, bytes]]:
        """Elections of addresses that are no longer virtual IPs go with them."""
        every = [ref for table in sets.GATE_TABLES for ref in (table.elected, table.steady)]
        known = self.mirror.known
        return {ref: {key: b"" for key in known[ref] if key[:4] in vip_keys} for ref in every}
