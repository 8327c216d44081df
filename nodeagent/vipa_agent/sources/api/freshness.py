"""Whether an object of the API is newer than what this node serves. Pure.

An epoch never goes back within the life of an object: an API server whose cache lags must not bring back a plan that
other nodes have left. An object made anew (another uid) counts anew. And when the API insists that the epoch is lower
(etcd restored from a backup), then that is the truth after a while.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BELIEVE_S: Final = 60.0
"""A lower epoch is doubted for so long. Watch caches of API servers lag by seconds; a restored backup stays."""


class Verdict(StrEnum):
    """What to do with an object's plan."""

    TAKE = "take"
    OLD = "old"
    UNPLANNED = "unplanned"


@dataclass(slots=True)
class Freshness:
    """``uid`` and ``epoch`` of what was taken last; empty and 0: nothing yet."""

    uid: str = ""
    epoch: int = 0
    _doubted_s: float | None = None

    def judge(self, uid: str, epoch: int, now_s: float) -> Verdict:
        """``now_s``: any monotonic clock. Epoch 0 is an object that its operator has not written yet: that nothing was
        planned is no plan of nothing."""
        if epoch <= 0:
            return Verdict.UNPLANNED
        if uid != self.uid or epoch >= self.epoch:
            self._doubted_s = None
            return Verdict.TAKE
        if self._doubted_s is None:
            self._doubted_s = now_s
        return Verdict.TAKE if now_s - self._doubted_s >= BELIEVE_S else Verdict.OLD

    def taken(self, uid: str, epoch: int) -> None:
        """This is what the node serves now."""
        self.uid, self.epoch = uid, epoch
        self._doubted_s = None
