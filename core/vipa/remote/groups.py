"""Which nexthop objects, groups and routes a router's kernel is to have, and the fewest steps to them. Pure.

Virtual IPs that share their next hops share one group, so that an adapter's failure changes one object however many
routes there are. A group is changed in place where most of its routes go the same new way: what hangs on it follows in
the same instant.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from vipa.remote.hearing import End, Hop, Way

HOP_BASE: Final = 0x76690000
GROUP_BASE: Final = 0x76698000
"""Ids of nexthop objects are for all programs of a router: ours begin with "vi"."""

IDS_MAX: Final = 0x8000


@dataclass(frozen=True, slots=True)
class Table:
    """``hops``: id of each object; ``groups``: hops of each group id; ``routes``: for each virtual IP a group's id or
    how it ends."""

    hops: Mapping[Hop, int] = field(default_factory=dict)
    groups: Mapping[int, tuple[Hop, ...]] = field(default_factory=dict)
    routes: Mapping[str, int | End] = field(default_factory=dict)

    def ways(self) -> dict[str, Way]:
        """The same as what each virtual IP leads to."""
        return {vip: at if isinstance(at, End) else self.groups[at] for vip, at in self.routes.items()}


@dataclass(frozen=True, slots=True)
class Steps:
    """To be done in this order. Groups that are new or changed, then routes, then what nobody uses any more."""

    add_hops: tuple[tuple[int, Hop], ...] = ()
    set_groups: tuple[tuple[int, tuple[int, ...]], ...] = ()
    set_routes: tuple[tuple[str, int | End], ...] = ()
    drop_routes: tuple[str, ...] = ()
    drop: tuple[int, ...] = ()
    """Ids of groups, then of hops."""

    def __bool__(self) -> bool:
        return any((self.add_hops, self.set_groups, self.set_routes, self.drop_routes, self.drop))


def plan(there: Table, ways: Mapping[str, Way | None]) -> tuple[Steps, Table]:
    """From what the kernel has to what ``ways`` ask for (None: as it is), and what it has then."""
    before = there.ways()
    wanted = {vip: before[vip] if way is None else way for vip, way in ways.items() if way is not None or vip in before}
    groups = {gid: _most(gid, there, wanted) for gid in there.groups}
    by_hops = {(_six(hops), hops): gid for gid, hops in reversed(list(groups.items()))}
    routes: dict[str, int | End] = {}
    for vip, way in wanted.items():
        if isinstance(way, End):
            routes[vip] = way
            continue
        kept = there.routes.get(vip)
        if not isinstance(kept, int) or groups.get(kept) != way:
            kept = by_hops.get((_six(way), way))
            if kept is None:
                kept = by_hops[_six(way), way] = _free(GROUP_BASE, groups)
                groups[kept] = way
        routes[vip] = kept
    used = set(routes.values())
    groups = {gid: hops for gid, hops in groups.items() if gid in used}
    hops = _hop_ids(there, groups)
    after = Table(hops, groups, routes)
    return _steps(there, after), after


def _most(gid: int, there: Table, wanted: Mapping[str, Way]) -> tuple[Hop, ...]:
    """What most of the group's virtual IPs want; as it is, where they do not say."""
    votes = Counter(way for vip, at in there.routes.items() if at == gid and isinstance(way := wanted.get(vip), tuple))
    return votes.most_common(1)[0][0] if votes else there.groups[gid]


def _six(hops: tuple[Hop, ...]) -> bool:
    return ":" in hops[0].address


def _hop_ids(there: Table, groups: Mapping[int, tuple[Hop, ...]]) -> dict[Hop, int]:
    ids = {hop: number for hop, number in there.hops.items() if any(hop in of for of in groups.values())}
    taken = dict.fromkeys([*there.hops.values()])
    for hops in groups.values():
        for hop in hops:
            if hop not in ids:
                ids[hop] = _free(HOP_BASE, taken)
                taken[ids[hop]] = None
    return ids


def _free(base: int, taken: Mapping[int, object]) -> int:
    return next(number for number in range(base + 1, base + IDS_MAX) if number not in taken)


def _steps(there: Table, after: Table) -> Steps:
    return Steps(
        add_hops=tuple((number, hop) for hop, number in after.hops.items() if there.hops.get(hop) != number),
        set_groups=tuple(
            (gid, tuple(after.hops[hop] for hop in hops))
            for gid, hops in after.groups.items()
            if there.groups.get(gid) != hops
        ),
        set_routes=tuple((vip, at) for vip, at in after.routes.items() if there.routes.get(vip) != at),
        drop_routes=tuple(vip for vip in there.routes if vip not in after.routes),
        drop=(
            *(gid for gid in there.groups if gid not in after.groups),
            *(number for hop, number in there.hops.items() if hop not in after.hops),
        ),
    )
