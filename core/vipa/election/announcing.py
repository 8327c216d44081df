"""Rule 11: when a holder announces: at once, after 100 ms, 1.1 s, 5 s, then every 60 s with jitter."""

from typing import Final

OFFSETS_S: Final = (0.0, 0.1, 1.1, 5.0)
"""100 ms repairs a lost frame; 1.1 s passes the 1 s locktime of old kernels' ARP caches (MetalLB's repeat); 5 s a
switch port that was still learning (keepalived's second burst)."""

PERIOD_S: Final = 60.0
"""Switches forget a silent MAC after 300 s by default (IEEE 802.1D table 7-5); clients re-learn long before."""


def next_at(started_at: float, sent: int, jitter: float) -> float:
    """Time of announcement number ``sent`` (0 = first). ``jitter`` in 0…1 spreads the periodic ones over 10 %."""
    if sent < len(OFFSETS_S):
        return started_at + OFFSETS_S[sent]
    periods = sent - len(OFFSETS_S) + 1
    return started_at + OFFSETS_S[-1] + periods * PERIOD_S * (0.95 + 0.1 * jitter)
