"""What a router knows of the nodes from their reports, and the way it sends what is for each virtual IP. Pure.

A hop is an adapter of the holder that its agent calls healthy and from which the router itself hears reports. Two
things are no proof against a hop: that *no* adapter of the holder is heard any more (its agent may be dead while the
machine serves on, and if the machine is dead nothing better is known yet), and that nobody says Holder for a moment
(during a planned move an ex-holder serves what still arrives). Then the way stays as it was, for a while.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from vipa.heartbeat.keys import MAC_BYTES
from vipa.remote.hops import hop_for
from vipa.remote.talk import BYTES_MAX, Adapter, Entry, Part, Report
from vipa.timing import PROFILES, Timing

MISS: Final = 3
"""Reports that may be missing from an adapter, at the rate its agent says: as heartbeats."""

SLACK_S: Final = 0.010
"""Lateness of both event loops on top, as for heartbeats (docs/design/0001-proofs.md)."""

ONE_WAY_S: Final = 1.0
"""An adapter on which the router has not been heard for so long is no hop: five asks."""

SILENT_KEPT_S: Final = 3.0
"""A holder of which nothing is heard stays the way for so long: Calm's permit of 2 s, in which its kernel serves on,
and its claim; by then another has taken over if anyone can. Where no other node has the virtual IP in its plan, it
stays until it is heard again: its kernel serves on without an agent, and if it is dead, the router's own ARP tells
clients."""

EX_HOLDER_KEPT_S: Final = 1.5
"""An ex-holder serves what still arrives for so long (rule 4, linger)."""

UNREACHABLE_AFTER_S: Final = 1.0
"""No hop for so long, and clients are told so; before, packets are dropped in silence, since a refusal would end
connections that the next holder goes on with or that a client tries again."""

FORGOTTEN_S: Final = 300.0
"""A node not heard for so long, while others are, knows of no virtual IP any more."""

ADOPTED_S: Final = 3.0
"""Ways found at the start stay as they are for so long, if no agent speaks of them: two asks and the slowest report."""

RETIRED_MAX: Final = 64
ENTRIES_BYTES_MAX: Final = BYTES_MAX - MAC_BYTES
NEVER: Final = float("-inf")


class Hop(NamedTuple):
    """An adapter's own address, and the router's interface beyond which it is."""

    address: str
    interface: str


class End(StrEnum):
    """Where a way leads that has no hop."""

    DROPPED = "blackhole"
    REFUSED = "unreachable"


Way = tuple[Hop, ...] | End


@dataclass(slots=True)
class _Node:
    incarnation: int
    seq: int = 0
    interval_s: float = 1.0
    edition: int = -1
    pages: dict[int, tuple[Entry, ...]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    """By each of its addresses: the last whole edition."""
    adapters: tuple[Adapter, ...] = ()
    heard: dict[tuple[str, str], float] = field(default_factory=dict)
    """(router's interface, adapter's address) → when."""
    heard_at: float = NEVER
    retired: tuple[int, ...] = ()

    @property
    def window_s(self) -> float:
        return MISS * self.interval_s + SLACK_S


@dataclass(slots=True)
class _Chosen:
    """``node`` was the last to hold a virtual IP; ``at``: when it last was, by what it said."""

    node: str = ""
    entry: Entry | None = None
    at: float = NEVER
    none_since: float | None = None


class Hearing:
    """Times are seconds of one clock that does not jump. ``incarnation``: this router's; ``adopted``: virtual IPs it
    has routes for from before."""

    def __init__(self, incarnation: int, now: float, adopted: Iterable[str] = ()) -> None:
        self.incarnation = incarnation
        self._nodes: dict[str, _Node] = {}
        self._chosen: dict[str, _Chosen] = {}
        self._adopted = frozenset(adopted)
        self._born_at = self._trusted_since = now

    @property
    def hears(self) -> tuple[int, ...]:
        """Incarnations of the agents heard."""
        return tuple(node.incarnation for node in self._nodes.values())

    def take(self, now: float, interface: str, source: str, report: Report) -> str:
        """One authentic report that came in on ``interface`` from the adapter ``source``; what became of it, in a
        word."""
        if report.router != self.incarnation:
            return "stale"
        node = self._nodes.get(report.node)
        if node is None or node.incarnation != report.incarnation:
            if node is not None and report.incarnation in node.retired:
                return "stale"
            old = node
            node = self._nodes[report.node] = _Node(report.incarnation)
            if old is not None:
                node.retired = (old.incarnation, *old.retired)[:RETIRED_MAX]
                node.entries = old.entries
        if report.seq < node.seq or (report.seq == node.seq and node.heard.get((interface, source)) == now):
            return "replayed"
        if report.seq > node.seq:
            self._news(node, report)
        node.heard[interface, source] = node.heard_at = now
        return "accepted"

    def late(self, now: float) -> None:
        """This router was held up: silence counts from now."""
        self._trusted_since = now

    def live(self, now: float) -> list[str]:
        """Nodes that are heard."""
        return sorted(name for name, node in self._nodes.items() if self._hears(node, now))

    def look(self, now: float) -> dict[str, Way | None]:
        """The way of each virtual IP; None: as it is, whatever that is. What is not named has none."""
        live = self.live(now)
        if live:
            gone = [n for n, node in self._nodes.items() if now - node.heard_at > FORGOTTEN_S]
            for name in gone:
                del self._nodes[name]
        known = {vip for node in self._nodes.values() for vip in node.entries}
        ways: dict[str, Way | None] = {vip: self._way(vip, now) for vip in sorted(known)}
        for vip in self._chosen.keys() - known:
            del self._chosen[vip]
        for vip in self._adopted - known:
            if now - self._born_at <= ADOPTED_S:
                ways[vip] = None
            elif not live:
                ways[vip] = End.REFUSED
        return ways

    def next_deadline(self, now: float) -> float:
        """When :meth:`look` may say something else although nothing was heard."""
        ends = [self._born_at + ADOPTED_S]
        for node in self._nodes.values():
            ends += [max(at, self._trusted_since) + node.window_s for at in node.heard.values()]
            ends.append(node.heard_at + SILENT_KEPT_S)
        for chosen in self._chosen.values():
            ends.append(chosen.at + EX_HOLDER_KEPT_S)
            if chosen.none_since is not None:
                ends.append(chosen.none_since + UNREACHABLE_AFTER_S)
        return min((end for end in ends if end > now), default=float("inf")) + 1e-4

    # --- parts

    def _news(self, node: _Node, report: Report) -> None:
        node.seq, node.interval_s, node.adapters = report.seq, report.interval_ms / 1000, report.adapters
        if report.edition != node.edition:
            node.edition, node.pages = report.edition, {}
        node.pages[report.page] = report.entries
        if len(node.pages) == report.pages:
            node.entries = {a: entry for page in node.pages.values() for entry in page for a in entry.addresses}

    def _hears(self, node: _Node, now: float, at: float | None = None) -> bool:
        heard_at = node.heard_at if at is None else at
        return heard_at != NEVER and now - max(heard_at, self._trusted_since) <= node.window_s

    def _way(self, vip: str, now: float) -> Way:
        chosen = self._chosen.setdefault(vip, _Chosen())
        saying = [
            (self._hears(node, now), node.entries[vip].term, name == chosen.node, name)
            for name, node in self._nodes.items()
            if vip in node.entries
            and node.entries[vip].part is Part.HOLDER
            and (
                now - max(node.heard_at, self._trusted_since) <= max(SILENT_KEPT_S, node.window_s)
                or not any(vip in other.entries for other in self._nodes.values() if other is not node)
            )
        ]
        hops = self._copies(vip, now)
        if hops:
            chosen.none_since = None
            return hops
        if saying:
            live, _, _, chosen.node = max(saying)
            chosen.entry = self._nodes[chosen.node].entries[vip]
            chosen.at = now if live else chosen.at
            hops = self._hops(vip, chosen.node, chosen.entry, now)
        elif chosen.entry is not None and now - chosen.at <= EX_HOLDER_KEPT_S and chosen.node in self._nodes:
            hops = self._hops(vip, chosen.node, chosen.entry, now)
        if hops:
            chosen.none_since = None
            return hops
        if chosen.none_since is None:
            chosen.none_since = now
        return End.REFUSED if now - chosen.none_since >= UNREACHABLE_AFTER_S else End.DROPPED

    def _copies(self, vip: str, now: float) -> tuple[Hop, ...]:
        """Where it is bound whoever holds it, on nodes that are heard: one that is not may be dead, others serve."""
        having = (n for n in self.live(now) if vip in self._nodes[n].entries and self._nodes[n].entries[vip].copy)
        hops = {hop for name in having for hop in self._hops(vip, name, self._nodes[name].entries[vip], now)}
        return tuple(sorted(hops))

    def _hops(self, vip: str, name: str, entry: Entry, now: float) -> tuple[Hop, ...]:
        node = self._nodes[name]
        mute = not self._hears(node, now)
        found: dict[str, Hop] = {}
        for index in entry.adapters:
            adapter = node.adapters[index] if index < len(node.adapters) else None
            if adapter is None or not adapter.healthy or adapter.heard_ms > ONE_WAY_S * 1000:
                continue
            beyond = [i for (i, source), at in sorted(node.heard.items()) if source == adapter.address
                      and (mute or self._hears(node, now, at))]  # fmt: skip
            address = hop_for(vip, adapter.address, adapter.others)
            if beyond and address:
                found.setdefault(address, Hop(address, beyond[0]))
        return tuple(found[address] for address in sorted(found))


REPORT_S: Final = PROFILES[Timing.DEFAULT].interval_s
"""Between reports of a node that holds something, or may soon, at the least: Default's interval. More often would cost
every agent for each router, and of what they find out agents tell at once anyway."""

REPORT_SLOW_S: Final = 1.0
"""Of the others."""

ASK_S: Final = 0.2
"""Between asks."""

LEASE_S: Final = 3.0
"""An agent reports to a router for so long after its last ask."""
