"""The routers that ask an agent, as far as it believes them. Pure.

A router counts by what its signed words say alone: a station that repeats them, from its own address or the router's,
is told nothing, moves nothing and takes nobody's place.
"""

from dataclasses import dataclass, field
from typing import Final

from vipa.remote.pace import ASK_S, LEASE_S
from vipa.remote.talk import Ask

ROUTERS_MAX: Final = 8
"""At a time: each costs as much as a peer."""

PLACES_MAX: Final = 8
"""Addresses of one router to which it is told: of both families on the LANs of a node, which has four adapters or so.
It asks by each address it has, and each place costs a datagram per adapter and interval."""

PAST_MAX: Final = 64
"""Routers of the past whose last question is remembered, so that a recording of it is known for one: 16 bytes each."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a router was heard: ``interface`` here, its own address and MAC."""

    interface: str
    address: str
    mac: str


@dataclass(slots=True)
class Asker:
    """One start of a router, by its ``incarnation``. Told until ``until``."""

    incarnation: int
    name: str
    asked_at: float
    seq: int = -1
    until: float = float("-inf")
    answered_at: float = float("-inf")
    places: dict[Place, tuple[int, float]] = field(default_factory=dict)
    """The last question from each, and when it came."""
    told: int = -1
    """Edition of the entries that it was told all pages of."""
    page: int = 0

    def heard_at(self, interface: str) -> float | None:
        """When it was last heard on ``interface``; None: never."""
        return max((at for place, (_, at) in self.places.items() if place.interface == interface), default=None)

    def addresses(self, now: float) -> dict[str, list[str]]:
        """By each MAC of it on our LANs the addresses it has there now."""
        found: dict[str, list[str]] = {}
        for place, (_, at) in self.places.items():
            known = found.setdefault(place.mac, []) if now - at <= LEASE_S else []
            if place.address not in known:
                known.append(place.address)
        return found


class Askers:
    """``mine``: the incarnation of this agent."""

    def __init__(self, mine: int) -> None:
        self._mine = mine
        self._askers: dict[int, Asker] = {}
        self._past: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._askers)

    def listening(self, now: float) -> list[Asker]:
        """Those that are told."""
        return [asker for asker in self._askers.values() if asker.until > now]

    def take(self, now: float, place: Place, ask: Ask) -> str:
        """An authentic question from ``place``; what became of it, in a word: "asks" begins to be told, "accepted",
        "answer" (it has not heard this agent yet: one report), or why it is ignored."""
        if (ask.address, ask.mac) != (place.address, place.mac):
            return "forged"
        asker = self._askers.get(ask.incarnation)
        if asker is None:
            if ask.seq <= self._past.get(ask.incarnation, -1):
                return "replayed"
            if ask.leaving:
                return "accepted"
            self._make_room(now, place)
            if len(self._askers) >= ROUTERS_MAX:
                return "unplanned"
            asker = self._askers[ask.incarnation] = Asker(ask.incarnation, ask.name, now)
        if ask.seq < asker.seq or ask.seq <= asker.places.get(place, (-1, 0.0))[0]:
            return "replayed"
        asker.seq, asker.name, asker.asked_at = ask.seq, ask.name, now
        self._heard(asker, place, now)
        if ask.leaving:
            self._drop(asker)
            return "accepted"
        if self._mine in ask.hears:
            fresh = asker.until <= now
            asker.until = now + LEASE_S
            return "asks" if fresh else "accepted"
        if asker.until <= now and now - asker.answered_at >= ASK_S / 2:
            asker.answered_at = now
            return "answer"
        return "accepted"

    def get(self, incarnation: int) -> Asker | None:
        """The one of this incarnation, if it asks."""
        return self._askers.get(incarnation)

    def clear(self) -> None:
        """Nobody is told any more."""
        self._askers.clear()

    def _heard(self, asker: Asker, place: Place, now: float) -> None:
        asker.places = {known: heard for known, heard in asker.places.items() if now - heard[1] <= LEASE_S}
        if len({(known.address, known.mac) for known in (*asker.places, place)}) <= PLACES_MAX:
            asker.places[place] = (asker.seq, now)

    def _make_room(self, now: float, place: Place) -> None:
        """Slots end with the router: when it no longer asks, and when another start of it asks from its address."""
        for asker in list(self._askers.values()):
            if now - asker.asked_at > LEASE_S or (len(self._askers) >= ROUTERS_MAX and place in asker.places):
                self._drop(asker)

    def _drop(self, asker: Asker) -> None:
        del self._askers[asker.incarnation]
        self._past[asker.incarnation] = asker.seq
        while len(self._past) > PAST_MAX:
            del self._past[next(iter(self._past))]
