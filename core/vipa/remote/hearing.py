"""What a router knows of the nodes from their reports, and the way it sends what is for each virtual IP. Pure.

A hop is an adapter of the holder that its agent calls healthy and from which the router itself hears reports. Two
things are no proof against a hop: that *no* adapter of the holder is heard any more (its agent may be dead while the
machine serves on, and if the machine is dead nothing better is known yet), and that nobody says Holder for a moment
(during a planned move an ex-holder serves what still arrives). Then the way stays as it was, for a while.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from vipa.remote.hops import hop_for
from vipa.remote.lans import Lans
from vipa.remote.nodes import NEVER, Node
from vipa.remote.talk import Entry, Part, Report

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

KEPT_S: Final = 1.0
"""What a way found at the start led to counts for so long although it is not heard yet, unless its node says
otherwise: five asks. A restart moves no flow because one report came before the others."""


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
class _Chosen:
    """``node`` was the last to hold a virtual IP; ``at``: when it last was, by what it said. ``here``: whether it is
    served on a LAN of this router, by what was last known."""

    here: bool
    none_since: float | None = None
    node: str = ""
    entry: Entry | None = None
    at: float = NEVER


class Hearing:
    """Times are seconds of one clock that does not jump. ``incarnation``: this router's; ``adopted``: the ways it has
    from before; ``lans``: of the interfaces it listens on, replaced when their addresses change."""

    def __init__(
        self, incarnation: int, now: float, adopted: Mapping[str, Way] | None = None, lans: Lans | None = None
    ) -> None:
        self.incarnation = incarnation
        self.lans = lans or Lans({})
        self._nodes: dict[str, Node] = {}
        self._chosen: dict[str, _Chosen] = {}
        self._adopted = dict(adopted or {})
        self._born_at = self._trusted_since = now

    @property
    def hears(self) -> tuple[int, ...]:
        """Incarnations of the agents heard."""
        return tuple(node.incarnation for node in self._nodes.values())

    def take(self, now: float, interface: str, source: str, report: Report) -> str:
        """One authentic report that came in on ``interface`` from the adapter ``source``; what became of it, in a
        word."""
        if report.source != source:
            return "forged"
        if report.router != self.incarnation:
            return "stale"
        node = self._nodes.get(report.node)
        if node is None:
            node = self._nodes[report.node] = Node(report.incarnation)
        elif node.incarnation != report.incarnation:
            if report.incarnation in node.retired:
                return "stale"
            node = self._nodes[report.node] = node.successor(report.incarnation)
        return "accepted" if node.take(now, (interface, source), report) else "replayed"

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
        ways: dict[str, Way | None] = {}
        for vip in sorted(known):
            ways |= self._way(vip, now)
        for vip in self._chosen.keys() - known:
            del self._chosen[vip]
        for vip in self._adopted.keys() - known:
            if now - self._born_at <= ADOPTED_S:
                ways[vip] = None
            elif not live:
                ways[vip] = End.REFUSED
        return ways

    def spoken_of(self, now: float) -> set[str]:
        """Virtual IPs that agents which are heard have in their plan, whoever holds them."""
        return {vip for name in self.live(now) for vip in self._nodes[name].entries}

    def next_deadline(self, now: float) -> float:
        """When :meth:`look` may say something else although nothing was heard."""
        ends = [self._born_at + ADOPTED_S, self._born_at + KEPT_S]
        for node in self._nodes.values():
            ends += [max(at, self._trusted_since) + node.window_s for at in node.heard.values()]
            ends.append(node.heard_at + SILENT_KEPT_S)
        for chosen in self._chosen.values():
            ends.append(chosen.at + EX_HOLDER_KEPT_S)
            if chosen.none_since is not None:
                ends.append(chosen.none_since + UNREACHABLE_AFTER_S)
        return min((end for end in ends if end > now), default=float("inf")) + 1e-4

    # --- parts

    def _hears(self, node: Node, now: float, at: float | None = None) -> bool:
        heard_at = node.heard_at if at is None else at
        return heard_at != NEVER and now - max(heard_at, self._trusted_since) <= node.window_s

    def _way(self, vip: str, now: float) -> dict[str, Way | None]:
        """The way of ``vip``; {} for one that is served elsewhere."""
        chosen = self._chosen.get(vip)
        if chosen is None:
            here = vip in self._adopted or bool(self.lans.beyond(vip))
            refused = self._adopted.get(vip) is End.REFUSED
            chosen = self._chosen[vip] = _Chosen(here, NEVER if refused else None)
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
        if not hops and saying:
            live, _, _, chosen.node = max(saying)
            chosen.entry = self._nodes[chosen.node].entries[vip]
            chosen.at = now if live else chosen.at
            hops = self._hops(vip, chosen.node, chosen.entry, now)
        elif not hops and chosen.entry is not None and now - chosen.at <= EX_HOLDER_KEPT_S:
            hops = self._hops(vip, chosen.node, chosen.entry, now) if chosen.node in self._nodes else ()
        if hops:
            chosen.here, chosen.none_since = True, None
            return {vip: hops}
        if chosen.entry is None and vip in self._adopted and now - self._born_at < KEPT_S:
            return {vip: None}  # nobody has said yet that it holds
        if not self._is_here(vip, chosen):
            chosen.none_since = None
            return {}
        if chosen.none_since is None:
            chosen.none_since = now
        return {vip: End.REFUSED if now - chosen.none_since >= UNREACHABLE_AFTER_S else End.DROPPED}

    def _is_here(self, vip: str, chosen: _Chosen) -> bool:
        """Whether this router has to say how a virtual IP ends: not of one that its holder serves on another LAN."""
        node = self._nodes.get(chosen.node)
        if chosen.entry is not None and chosen.entry.adapters and node is not None and node.adapters:
            adapters = [a for index in chosen.entry.adapters if (a := node.adapter(index)) is not None]
            hops = [hop_for(vip, adapter.address, adapter.others) for adapter in adapters]
            chosen.here = any(self.lans.beyond(hop) for hop in hops if hop)
        return chosen.here

    def _kept(self, vip: str, now: float) -> tuple[Hop, ...]:
        """What the way led to before this router's start, for as long as that counts."""
        way = self._adopted.get(vip, End.REFUSED)
        return way if isinstance(way, tuple) and now - self._born_at < KEPT_S else ()

    def _copies(self, vip: str, now: float) -> tuple[Hop, ...]:
        """Where it is bound whoever holds it, on nodes that are heard: one that is not may be dead, others serve."""
        having = [n for n in self.live(now) if vip in self._nodes[n].entries and self._nodes[n].entries[vip].copy]
        hops = {hop for name in having for hop in self._hops(vip, name, self._nodes[name].entries[vip], now)}
        if having and (kept := self._kept(vip, now)):
            spoken = {hop for node in self._nodes.values() for hop in _addresses(vip, node)}
            hops |= {hop for hop in kept if hop.address not in spoken}
        return tuple(sorted(hops))

    def _hops(self, vip: str, name: str, entry: Entry, now: float) -> tuple[Hop, ...]:
        node = self._nodes[name]
        mute = not self._hears(node, now)
        kept = {hop.address: hop for hop in self._kept(vip, now)}
        found: dict[str, Hop] = {}
        for index in entry.adapters:
            adapter = node.adapter(index)
            if adapter is None or not adapter.healthy:
                continue
            address = hop_for(vip, adapter.address, adapter.others)
            lans = self.lans.beyond(address) if address else ()
            beyond = [i for (i, source), at in sorted(node.heard.items()) if source == adapter.address and i in lans
                      and (mute or self._hears(node, now, at))]  # fmt: skip
            if beyond and 0 <= adapter.heard_ms <= ONE_WAY_S * 1000:
                found.setdefault(address, Hop(address, beyond[0]))
            elif address in kept:
                found.setdefault(address, kept[address])
        return tuple(found[address] for address in sorted(found))


def _addresses(vip: str, node: Node) -> Iterator[str]:
    """By which ``vip`` is reached on the adapters that ``node`` tells of, well or not."""
    for adapter in node.adapters:
        if adapter is not None:
            yield hop_for(vip, adapter.address, adapter.others)
