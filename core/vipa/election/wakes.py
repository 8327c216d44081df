"""Which virtual IPs are due, at a cost that does not grow with their number.

Each has a time before which nothing can become due for it (:func:`vipa.election.waking.wake_at`). Whatever makes that
earlier also makes the virtual IP dirty; what makes it later (each heartbeat of the holder does) is only noticed when
the time comes. Spares of one holder share their time: while the holder's role digest is confirmed, one look at the
holder tells for all of them.
"""

import heapq
from collections.abc import Iterator
from typing import Final, NamedTuple

from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import Behind, VipState
from vipa.election.waking import wake_at
from vipa.heartbeat.model import WireRole

_STALE_MAX: Final = 4
"""Entries kept per virtual IP before those that no longer count are thrown out."""


class Group(NamedTuple):
    """Spares that wait for the same silence: of this holder, on this LAN, in this profile."""

    holder: str
    network: str
    interval_s: float
    miss: int


class Wakes:
    """Wake times of a node's virtual IPs."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._at: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._members: dict[Group | Behind, set[str]] = {}
        self._group_of: dict[str, Group | Behind] = {}

    def schedule(self, vip: VipState) -> None:
        """Work out the wake of ``vip`` anew. To be called after every look at it."""
        name, at = vip.name, wake_at(self._node, vip)
        group = self._group(vip) if at < float("inf") else None
        self._leave(name)
        if group is not None:
            self._at.pop(name, None)
            self._members.setdefault(group, set()).add(name)
            self._group_of[name] = group
        elif at == float("inf"):
            self._at.pop(name, None)
        elif self._at.get(name) != at:
            self.put(name, at)

    def put(self, name: str, at: float) -> None:
        """Wake ``name``, which is in no group, at this time."""
        self._at[name] = at
        heapq.heappush(self._heap, (at, name))
        if len(self._heap) > _STALE_MAX * (len(self._at) + 1):
            self._heap = [(at, name) for name, at in self._at.items()]
            heapq.heapify(self._heap)

    def silent(self, now: float) -> list[str]:
        """Spares whose holder may be silent by now; each is to be scheduled again."""
        return [name for group in list(self._members) if isinstance(group, Group) for name in self._over(group, now)]

    def due(self, now: float) -> Iterator[str]:
        """Names whose time has come; each is to be scheduled again."""
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._at.get(name) == at:
                del self._at[name]
                yield name
        for group in list(self._members):
            yield from self._over(group, now)

    def soonest(self) -> float:
        """When the next one is due."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        first = self._heap[0][0] if self._heap else float("inf")
        return min([first, *map(self._bound, self._members)])

    def _over(self, group: Group | Behind, now: float) -> set[str]:
        """The members of a group whose time has come: it is no more."""
        if self._bound(group) > now:
            return set()
        names = self._members.pop(group)
        for name in names:
            del self._group_of[name]
        return names

    def _group(self, vip: VipState) -> Group | Behind | None:
        """The group of a spare that waits for nothing but its holder's silence, or a better rank's turn."""
        if vip.state is not State.SPARE or max(vip.unbind_at, vip.recheck_at, vip.compare_at) != NEVER:
            return None
        if vip.behind is not None:
            return vip.behind if self._bound(vip.behind) > self._node.now else None
        holder = self._node.peers.get(vip.holder)
        if holder is None or holder.role(vip.id) is not WireRole.HOLDER:
            return None
        group = Group(vip.holder, self._node.network(vip), vip.profile.interval_s, vip.profile.miss)
        return group if self._bound(group) > self._node.now else None

    def _bound(self, group: Group | Behind) -> float:
        """No member can find its holder silent, or its turn come, before this (:meth:`Node.silent_at`)."""
        if isinstance(group, Behind):
            peer = self._node.peers.get(group.peer)
            return NEVER if peer is None else min(peer.took_at + group.patience_s, group.until)
        holder = self._node.peers.get(group.holder)
        if holder is None:
            return NEVER
        synced_at = holder.synced_at.get(group.network, NEVER)
        return synced_at + max(group.interval_s, holder.interval_s) * group.miss

    def _leave(self, name: str) -> None:
        group = self._group_of.pop(name, None)
        if group is not None:
            members = self._members[group]
            members.discard(name)
            if not members:
                del self._members[group]
