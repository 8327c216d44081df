"""The simulated kernel of one boot: addresses, and the gate whose timed permits outlive the agent.

Mirrors the nft sets of docs/design/0003-kernel.md: ``elected`` (address, interface) untimed, ``alive`` per interface
and timed, ``steady`` elected without a clock, ``claims`` timed. All times are world seconds; the shell converts.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Kernel:
    """State of one boot. ``strict_arp`` is arp_ignore=1: a VIP is answered only where it is bound. ``tables``: those of
    the gate are there; without them whatever is bound is answered."""

    strict_arp: bool
    guarded: set[str] = field(default_factory=set)
    bound: dict[str, frozenset[str]] = field(default_factory=dict)
    elected: set[tuple[str, str]] = field(default_factory=set)
    steady: set[tuple[str, str]] = field(default_factory=set)
    alive: dict[str, float] = field(default_factory=dict)
    claims: dict[str, float] = field(default_factory=dict)
    reply_by: dict[str, str] = field(default_factory=dict)
    tables: bool = True

    def answers(self, address: str, interface: str, now: float) -> bool:
        """Would a who-has for the VIP ``address`` on ``interface`` be answered?"""
        where = self.bound.get(address)
        if not where or (self.strict_arp and interface not in where):
            return False
        return address not in self.guarded or self.entitled(address, interface, now)

    def entitled(self, address: str, interface: str, now: float) -> bool:
        """The gate: elected, and alive or steady."""
        key = (address, interface)
        return key in self.elected and (key in self.steady or self.alive.get(interface, 0.0) > now)

    def lets_out(self, sender_address: str, interface: str, now: float) -> bool:
        """The egress gate, for an ARP frame with this sender."""
        return sender_address not in self.guarded or self.entitled(sender_address, interface, now)

    def guard(self, addresses: Iterable[str]) -> bool:
        """Gate exactly these addresses, and what is still bound of those before; makes the tables when they are not
        there."""
        self.tables = True
        self.guarded = set(addresses) | {address for address in self.guarded if self.bound.get(address)}
        return True

    def flush(self) -> None:
        """Another program removes every table."""
        self.tables = False
        for content in (self.guarded, self.elected, self.steady, self.alive, self.claims):
            content.clear()

    def remove(self, address: str, interface: str) -> None:
        """Another program removes an address from an interface."""
        self.bound[address] = self.bound.get(address, frozenset()) - {interface}

    def bind(self, addresses: Iterable[str], interfaces: Iterable[str]) -> bool:
        """Bind on these interfaces in addition to where they are bound."""
        for address in addresses:
            self.bound[address] = self.bound.get(address, frozenset()) | frozenset(interfaces)
        return True

    def unbind(self, addresses: Iterable[str]) -> None:
        """Remove the addresses everywhere."""
        for address in addresses:
            self.bound.pop(address, None)

    def forget_interface(self, interface: str) -> None:
        """The device is gone and its addresses with it; the gate's elements, by name, stay."""
        self.bound = {address: where - {interface} for address, where in self.bound.items()}

    def rename_interface(self, old: str, new: str) -> None:
        """The device has another name: addresses and replies go with it; the gate's elements, by name, stay."""
        self.bound = {a: frozenset(new if i == old else i for i in where) for a, where in self.bound.items()}
        self.reply_by = {a: new if i == old else i for a, i in self.reply_by.items()}

    def begin_claim(self, addresses: Iterable[str], until: float) -> bool:
        """Set the claim elements; False without tables."""
        for address in addresses if self.tables else ():
            self.claims[address] = until
        return self.tables

    def permit(self, addresses: tuple[str, ...], interface: str, until: float | None, now: float) -> bool:
        """One transaction: claim elements out, elected in, permit added or renewed (None: untimed)."""
        if any(self.claims.get(address, 0.0) <= now for address in addresses):
            return False
        for address in addresses:
            del self.claims[address]
        self._elect(addresses, interface, until)
        return True

    def move(self, addresses: tuple[str, ...], old: str, new: str, until: float | None, now: float) -> bool:
        """One transaction: from ``old`` to ``new``; only a live holder may."""
        if not all(self.entitled(address, old, now) for address in addresses):
            return False
        self.revoke(addresses, old)
        self._elect(addresses, new, until)
        return True

    def revoke(self, addresses: Iterable[str], interface: str) -> None:
        """Un-elect; the addresses stay bound."""
        for address in addresses:
            self.elected.discard((address, interface))
            self.steady.discard((address, interface))

    def renew(self, interface: str, until: float, now: float) -> bool:
        """Delete + add in one transaction: a lapsed permit cannot be renewed."""
        if self.alive.get(interface, 0.0) <= now:
            return False
        self.alive[interface] = until
        return True

    def _elect(self, addresses: Iterable[str], interface: str, until: float | None) -> None:
        for address in addresses:
            self.elected.add((address, interface))
            self.reply_by[address] = interface
            if until is None:
                self.steady.add((address, interface))
        if until is not None:
            self.alive[interface] = until
