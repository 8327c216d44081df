"""When to reconcile: at once after quiet, then seldom enough that most of the time is left for other things. Pure."""

from dataclasses import dataclass
from typing import Final

QUIET_S: Final = 0.05
"""Changes that come closer than this are one: kubectl applies a file of objects at about 10 ms each."""
SHARE: Final = 2.0
"""Reconciling takes at most a third of the time: after one that took a second, two seconds of collecting."""
MOST_S: Final = 2.0
"""Yet nobody waits longer than this, however large the cluster."""


@dataclass(slots=True)
class Debounce:
    """Times in seconds on one clock that never goes back."""

    _free_at: float = float("-inf")
    _due_at: float | None = None

    def changed(self, now: float) -> None:
        """Something changed."""
        if self._due_at is None:
            self._due_at = max(now, self._free_at)

    def due_at(self) -> float | None:
        """When to reconcile next; None while nothing changed."""
        return self._due_at

    def done(self, started: float, ended: float) -> None:
        """A reconciliation of everything that had changed at ``started`` is over."""
        self._due_at = None
        self._free_at = ended + min(max(QUIET_S, SHARE * (ended - started)), MOST_S)
