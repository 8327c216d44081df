"""What a router's kernel refused: left out of the ways while others are served, and tried again by itself. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vipa.remote.groups import Table
from vipa.remote.hearing import Hop, Way

PAUSE_S: Final = 1.0
"""After the first refusal; twice as long after each further one."""

PAUSE_MAX_S: Final = 60.0
"""What is missing (IPv6, memory) comes seldom; interfaces that change are no reason to wait at all."""

SAID_MAX: Final = 3
"""Named in one line; a kernel without IPv6 refuses a route for each virtual IP."""

Item = Hop | str
"""A next hop, or a virtual IP's route."""


@dataclass(slots=True)
class _Refusal:
    why: str
    pause_s: float
    again_at: float


class Refusals:
    """Times are seconds of one clock."""

    def __init__(self) -> None:
        self._refused: dict[Item, _Refusal] = {}

    def add(self, now: float, refused: Mapping[Item, str]) -> str:
        """These were refused, each for its reason; a line about those of which that was not said yet, or ""."""
        fresh: dict[Item, str] = {}
        for item, why in refused.items():
            before = self._refused.get(item)
            if before is None or before.why != why:
                fresh[item] = why
            pause_s = min(2 * before.pause_s, PAUSE_MAX_S) if before is not None else PAUSE_S
            self._refused[item] = _Refusal(why, pause_s, now + pause_s)
        return _line(list(fresh.values()))

    def without(self, now: float, ways: Mapping[str, Way | None]) -> dict[str, Way | None]:
        """``ways`` by what is not refused now. A virtual IP whose route is stays as it is; one that has lost all of its
        next hops has none, so that other routes of the kernel count."""
        if not self._refused:
            return dict(ways)
        wanted = {hop for way in ways.values() if isinstance(way, tuple) for hop in way}
        self._refused = {item: r for item, r in self._refused.items() if item in wanted or item in ways}
        out = {item for item, refusal in self._refused.items() if refusal.again_at > now}
        found: dict[str, Way | None] = {}
        for vip, way in ways.items():
            left = tuple(hop for hop in way if hop not in out) if isinstance(way, tuple) else way
            if vip in out:
                found[vip] = None
            elif left != ():
                found[vip] = left
        return found

    def done(self, table: Table, ways: Mapping[str, Way | None]) -> None:
        """What the kernel has by now is refused no more."""
        if self._refused:
            there: dict[str, Way] = table.ways()
            self._refused = {
                item: refusal
                for item, refusal in self._refused.items()
                if (item not in table.hops if isinstance(item, Hop) else there.get(item) != ways.get(item))
            }

    def again(self) -> None:
        """What was in the way may have gone: try all of it now."""
        for refusal in self._refused.values():
            refusal.again_at, refusal.pause_s = float("-inf"), PAUSE_S

    def next_at(self, now: float) -> float:
        """When one is to be tried again; those whose time has come are tried whenever their ways are looked at."""
        return min((at for r in self._refused.values() if (at := r.again_at) > now), default=float("inf"))

    def told(self) -> str:
        """What is refused, in a line; "": nothing."""
        return _line([refusal.why for refusal in self._refused.values()])


def _line(reasons: list[str]) -> str:
    more = f"; and {len(reasons) - SAID_MAX} more" if len(reasons) > SAID_MAX else ""
    return "; ".join(reasons[:SAID_MAX]) + more
