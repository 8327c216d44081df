"""When heartbeats go out: once an interval to everybody of that interval, in the rhythm of one node that leads.

Waking is what costs (docs/design/0001-proofs.md), so a node answers its leader's beat with its own: both then find all
they have to read and to send at one time. Who leads is a total order, holders before others, then by id, so nobody
follows anybody in a circle. A node without a leader beats by its own clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from vipa.election.node import Node

WINDOW: Final = 0.5
"""Part of an interval by which a beat may be early to go with the leader's: more would be a rate higher than said."""

SLACK: Final = 0.1
"""Part of an interval that a follower waits longer than its leader: else its own clock would often wake it first. It is
also the step by which a follower out of rhythm comes nearer. A silence has room for it: it is three intervals."""


class Pace:
    """``next_at``: interval → when its next beat is due."""

    def __init__(self) -> None:
        self.next_at: dict[float, float] = {}
        self._sent_at: dict[float, float] = {}
        self._leaders: dict[float, str] = {}

    def take(self, intervals: Iterable[float], leaders: dict[float, str]) -> None:
        """Intervals in use from now on, and the peer that leads each, where there is one."""
        self.next_at = {i: self.next_at.get(i, float("-inf")) for i in intervals}
        # a peer may lead at an interval at which nobody is beaten: no path to it is left
        self._leaders = {i: peer for i, peer in leaders.items() if i in self.next_at}

    def next_deadline(self) -> float:
        """When the next beat is due."""
        return min(self.next_at.values(), default=float("inf"))

    def sent(self, interval_s: float, now: float) -> None:
        """The beat that was due goes out now."""
        self._sent_at[interval_s] = now
        if interval_s in self._leaders:
            self.next_at[interval_s] = now + interval_s * (1 + SLACK)
            return
        # keep the beat's phase unless it was missed by more than an interval
        on_time = self.next_at[interval_s] + interval_s
        self.next_at[interval_s] = on_time if on_time > now else now + interval_s

    def heard(self, peer: str, interval_s: float, now: float) -> None:
        """``peer`` beats now, every ``interval_s``."""
        if self._leaders.get(interval_s) != peer:
            return
        due_at = self.next_at[interval_s]
        if due_at - now <= interval_s * WINDOW:
            self.next_at[interval_s] = now
        else:  # a leader with news beats more often: that must not hold this node's beat back for good
            latest_at = self._sent_at.get(interval_s, now) + interval_s * (1 + 2 * SLACK)
            self.next_at[interval_s] = min(due_at + interval_s * SLACK, max(latest_at, due_at))


def leaders(node: Node) -> dict[float, str]:
    """Who leads at which interval: the first of those that beat to us as often as we to them."""
    found: dict[float, tuple[bool, int, str]] = {}
    for peer in node.peers.values():
        interval_s = peer.beaten_every_s
        if peer.interval_s == interval_s and peer.alive(node.now):
            place = (peer.permit_until <= node.now, peer.id, peer.node)
            found[interval_s] = min(found.get(interval_s, place), place)
    own = (not node.permits.any, node.id, node.config.node)
    return {interval_s: place[2] for interval_s, place in found.items() if place < own}
