"""How long to wait before asking the API again. Pure: chance comes in from outside.

A thousand agents lose one API server at the same moment, and find it again at the same moment: every wait is spread
over half of itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 0.2
"""After the first failure: a restarted API server behind a load balancer is often there again at once."""
UNREACHABLE_MAX_S: Final = 2.5
"""While nobody answers. The status must be true 5 s after the API is back: 2.5 s of waiting and an attempt that was
begun too early (2 s, see Bounds) leave 0.5 s for TLS
and the patch. An attempt per agent each 2 s is nothing to a server."""
REFUSED_MAX_S: Final = 30.0
"""While the API answers and says no (401, 403, 404, 422): somebody has to change something first."""
RETRY_AFTER_MAX_S: Final = 60.0
"""No server may silence an agent for longer, whatever its Retry-After says."""
GONE_SPREAD_S: Final = 1.0
"""410 strikes all agents at once (a compaction, an API server's restart): their lists are spread over a second."""


@dataclass(slots=True)
class Backoff:
    """``chance()`` gives numbers from 0 to below 1."""

    chance: Callable[[], float]
    _next_s: float = FIRST_S

    def unreachable_s(self) -> float:
        """Nobody answered, or broke off: doubling, at most :data:`UNREACHABLE_MAX_S`."""
        return self._step(UNREACHABLE_MAX_S)

    def refused_s(self) -> float:
        """Answered, with a refusal: doubling, at most :data:`REFUSED_MAX_S`."""
        return self._step(REFUSED_MAX_S)

    def asked_s(self, retry_after_s: float) -> float:
        """The server named a time (429, 503): that, and a little more for the crowd."""
        asked_s = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S)
        return asked_s + self.chance() * max(asked_s / 2, FIRST_S)

    def gone_s(self) -> float:
        """410: the history is gone and must be listed anew."""
        return self.chance() * GONE_SPREAD_S

    def reset(self) -> None:
        """It works again."""
        self._next_s = FIRST_S

    def _step(self, most_s: float) -> float:
        wait_s = min(self._next_s, most_s)
        self._next_s = min(wait_s * 2, REFUSED_MAX_S)
        return wait_s * (0.5 + self.chance() / 2)
