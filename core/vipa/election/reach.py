"""Rule 2 beyond the first switch: an endpoint may hear peers on its own switch and yet reach none of the clients.

Gateways and ``probeTargets`` stand for what lies beyond. Of two endpoints on one LAN the one that keeps missing answers
which the other gets in the same moment is silent, whatever it hears of peers. Nothing is concluded when both miss them:
then it is the gateway that is dead.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from vipa.timing import Profile

NEVER: Final = float("-inf")

REACH_S: Final = 1.0
"""How often a gateway is asked while it answers: a broadcast a second is less than an idle desktop makes."""

MISSED: Final = 8
"""Answers that a sibling got and this endpoint did not, in a row: at 30 % loss each way one in 50,000."""

EAGER: Final = 50
"""After so many asks that nobody answered (1 s at Default) they go back to once in ``REACH_S``: nobody is there."""


@dataclass(slots=True)
class Reach:
    """One endpoint's view of the stations ``targets`` beyond its switch. Times are seconds of the node's clock."""

    targets: tuple[str, ...] = ()
    asked_at: float = NEVER
    answered_at: float = NEVER
    next_at: float = NEVER
    missed: int = 0
    unanswered: int = 0

    @property
    def lost(self) -> bool:
        """Whether what lies beyond is out of this endpoint's reach, and in a sibling's."""
        return self.missed >= MISSED

    @property
    def doubtful(self) -> bool:
        """Whether the last ask is still unanswered."""
        return self.answered_at < self.asked_at

    def heard(self, now: float, station: str) -> None:
        """``station`` answered this endpoint."""
        if station in self.targets:
            self.answered_at = now
            self.missed = self.unanswered = 0

    def forgive(self) -> None:
        """This node was late: what it missed meanwhile proves nothing."""
        if not self.lost:
            self.missed = 0

    def due(self, now: float, profile: Profile, siblings: Iterable["Reach"]) -> tuple[str, ...]:
        """Whom to ask now; to be called at every timer. Only an endpoint with a sibling has a use for it."""
        others = list(siblings)
        if not others or not self.targets or now < self.ask_at(profile, others):
            return ()
        if self.doubtful:
            self.unanswered += 1
            if any(other.answered_at >= self.asked_at for other in others):
                self.missed += 1
        self.asked_at = now
        self.next_at = now + REACH_S
        return self.targets

    def ask_at(self, profile: Profile, siblings: Iterable["Reach"]) -> float:
        """When to ask next: once an interval while this endpoint or a sibling waits for an answer."""
        waiting = any(reach.doubtful and reach.unanswered < EAGER for reach in (self, *siblings))
        return min(self.next_at, self.asked_at + profile.interval_s) if waiting else self.next_at
