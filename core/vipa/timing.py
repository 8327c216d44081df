"""Timing profiles and the published formulas (docs/design/0002-election.md, "Timing").

All durations are seconds. Tests, docs and the simulator compute expectations from here and from nowhere else.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Timing(StrEnum):
    """Names of the profiles, as written in ``VirtualIP.spec.timing``."""

    FAST = "Fast"
    DEFAULT = "Default"
    CALM = "Calm"


@dataclass(frozen=True, slots=True)
class Profile:
    """One timing profile.

    interval_s: between heartbeats to the first spare; other_interval_s: to the other full-rate spares.
    miss: heartbeats that may be missing before the holder counts as silent.
    permit_s: life of the kernel's permit without renewal. probes, gap_s: see :func:`claim_delay_s`.
    """

    name: Timing
    interval_s: float
    other_interval_s: float
    miss: int
    permit_s: float
    probes: int
    gap_s: float

    @property
    def silence_s(self) -> float:
        """Time without a two-way Holder after which spares suspect."""
        return self.interval_s * self.miss

    @property
    def renew_s(self) -> float:
        """Time between renewals: permit ≥ 3 renewals + 200 ms, since another program's large nft commit was seen to
        hold ours up by 52-69 ms (docs/design/0002-election.md)."""
        return (self.permit_s - RENEW_SLACK_S) / 3


RENEW_SLACK_S: Final = 0.2

PROFILES: Final[dict[Timing, Profile]] = {
    Timing.FAST: Profile(Timing.FAST, 0.005, 0.020, 3, 0.250, 2, 0.003),
    Timing.DEFAULT: Profile(Timing.DEFAULT, 0.020, 0.020, 3, 0.500, 2, 0.010),
    Timing.CALM: Profile(Timing.CALM, 0.200, 0.200, 4, 2.000, 3, 0.050),
}


def claim_delay_s(profile: Profile, rank: int) -> float:
    """Time from silence to the claim of spare number ``rank`` (1 = first healthy): rank × probes × gap."""
    return rank * profile.probes * profile.gap_s


def node_death_s(profile: Profile, rank: int = 1) -> float:
    """Longest expected time from a node's death to its successor's claim, without loss: the published formula
    ``interval × miss + (0…1) interval + r × probes × gap``."""
    return profile.silence_s + profile.interval_s + claim_delay_s(profile, rank)
