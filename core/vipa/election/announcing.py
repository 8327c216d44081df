"""Rule 11: when a holder announces: at once, after 100 ms, 1.1 s, 5 s, then every 60 s with jitter."""

from typing import Final

OFFSETS_S: Final = (0.0, 0.1, 1.1, 5.0)
"""100 ms repairs a lost frame; 1.1 s passes the 1 s locktime of old kernels' ARP caches (MetalLB's repeat); 5 s a
switch port that was still learning (keepalived's second burst)."""

PERIOD_S: Final = 60.0
"""Switches forget a silent MAC after 300 s by default (IEEE 802.1D table 7-5); clients re-learn long before."""

PUT_OFF_S: Final = 0.0005
"""For each virtual IP that waits to be taken over the repeats come this much later: as long as one takes. To repeat
what was heard in all likelihood must not keep those waiting that nobody serves; 2,000 put it off by a second."""

VIPS_PER_S: Final = 12_800.0
"""Pace of announcing where many virtual IPs move: two frames each, 25,600 a second, are 1.7 % of the smallest frames
that a gigabit port carries (1.49 million), and 2,000 take 0.16 s. Every station of the LAN gets them."""

BURST: Final = 64
"""At once: 128 frames take the loop about 1 ms."""


class Pacer:
    """Hands out times to the virtual IPs of one node: ``burst`` at once, then ``per_s``."""

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._free_at = float("-inf")

    def turn(self, now: float) -> float:
        """When it is the next one's turn: now, or later."""
        self._free_at = max(self._free_at, now - self._burst / self._per_s) + 1 / self._per_s
        return max(now, self._free_at)


def next_at(started_at: float, sent: int, jitter: float) -> float:
    """Time of announcement number ``sent`` (0 = first). ``jitter`` in 0…1 spreads the periodic ones over 10 %."""
    if sent < len(OFFSETS_S):
        return started_at + OFFSETS_S[sent]
    periods = sent - len(OFFSETS_S) + 1
    return started_at + OFFSETS_S[-1] + periods * PERIOD_S * (0.95 + 0.1 * jitter)
