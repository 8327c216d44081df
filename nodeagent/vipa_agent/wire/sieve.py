"""What of many ARP frames the election is shown: enough to know all it could know, whatever the rate.

A step of the election for every frame made an agent cost 15 % of a core in a storm of 1,000 a second. Most of them it
does not need: a frame that repeats itself at once says nothing new; of strangers it is enough to hear that they are
there (rule 2); and of a thousand that forge a virtual IP's announcement a few tell as much as all (rule 10).
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

INSTANT_S: Final = 0.002
"""Frames within so short a time count as read at once. Shorter than the shortest probe gap (Fast: 3 ms): an answer that
repeats an answer of the same instant cannot be one to a later probe."""

STRANGERS_S: Final = 0.010
"""Between broadcasts that only tell of life on the LAN: shorter than any silence (Fast: 15 ms)."""

CLAIMANTS: Final = 2
"""Broadcasts with one and the same sender address that matters, from MACs that are none of ours, in ``CLAIMANTS_S``:
both forms of an announcement."""

CLAIMANTS_S: Final = 0.1
"""A rival is to be named within a second, and defended against once in ten (rule 10)."""


class Sieve:
    """Told of packed addresses and MACs: ``matters(address)``, whether the election looks at who says to have it
    (virtual IPs, peers); ``ours(mac)``, whether it is of a node of ours; ``heeds_ours(address)``, whether it matters
    that one of them says to have it: that is all shown but repetitions. Their other broadcasts are questions to find
    out who answers, and announcements of what was not looked for here, thousands at once when a node fails: they tell
    of life only, as strangers' do."""

    def __init__(
        self, matters: Callable[[bytes], bool], ours: Callable[[bytes], bool], heeds_ours: Callable[[bytes], bool]
    ) -> None:
        self._matters = matters
        self._ours = ours
        self._heeds_ours = heeds_ours
        self._instant_ends_s = self._claimants_until_s = float("-inf")
        self._seen: set[bytes] = set()
        self._claimants: Counter[bytes] = Counter()
        self._strangers, self._askers = _Life(), _Life()

    def passes(self, now_s: float, frame: bytes, sender_mac: bytes, sender: bytes) -> bool:
        """Whether the election has to see this frame. ``sender``: the packed address it claims for ``sender_mac``."""
        if now_s >= self._instant_ends_s:
            self._instant_ends_s = now_s + INSTANT_S
            self._seen.clear()
        if frame in self._seen:
            return False
        self._seen.add(frame)
        if not frame[0] & 1:
            return True
        if self._ours(sender_mac):
            return self._heeds_ours(sender) or self._askers.shown(now_s)
        if not self._matters(sender):
            return self._strangers.shown(now_s)
        if now_s >= self._claimants_until_s:
            self._claimants_until_s = now_s + CLAIMANTS_S
            self._claimants.clear()
        self._claimants[sender] += 1
        return self._claimants[sender] <= CLAIMANTS


class _Life:
    """Broadcasts that only tell that somebody is there."""

    def __init__(self) -> None:
        self._shown_at_s = float("-inf")

    def shown(self, now_s: float) -> bool:
        """Whether this one is."""
        shown = now_s >= self._shown_at_s + STRANGERS_S
        if shown:
            self._shown_at_s = now_s
        return shown
