"""How late things are on a busy two-core machine: loop wakes, stalls and nft commits. All drawn from the seed."""

from dataclasses import dataclass
from random import Random

WAKE_MEAN_S = 0.0002  # mostly well under 1 ms, as measured for an asyncio loop on two busy cores
STALL_MIN_S, STALL_MAX_S = 0.005, 0.060
COMMIT_S = 0.0001  # prebuilt batch beside kube-proxy-sized rulesets: 50-100 us
COMMIT_SLOW_MAX_S = 0.069  # another program's large commit was seen to hold ours up by 52-69 ms
ADDRESS_S = 0.0002  # one address by rtnetlink, measured; other programs hold the RTNL lock for long only rarely
ADDRESS_SLOW = 0.02
ADDRESS_SLOW_MAX_S = 0.020
EVENT_S = 0.001  # netlink link events come 1-1.4 ms after the change
EVENT_LATE_S = 1.0  # a link event within 1 s of another may come that late
POLL_S = 0.020  # the shell's own poll of the carrier


@dataclass(slots=True)
class Delays:
    """Draws for one node. ``stalls_per_s`` rises during a storm."""

    rng: Random
    stalls_per_s: float = 0.3
    slow_commits: float = 0.1

    def wake_s(self) -> float:
        """From "ready" to the loop running."""
        return self.rng.expovariate(1.0 / WAKE_MEAN_S)

    def next_stall_s(self) -> float:
        """Time until the loop is held up again."""
        return self.rng.expovariate(self.stalls_per_s)

    def stall_s(self) -> float:
        """How long it is held up."""
        return self.rng.uniform(STALL_MIN_S, STALL_MAX_S)

    def address_s(self) -> float:
        """Binding or unbinding addresses."""
        if self.rng.random() < ADDRESS_SLOW:
            return self.rng.uniform(ADDRESS_S, ADDRESS_SLOW_MAX_S)
        return ADDRESS_S

    def commit_s(self) -> float:
        """One nft transaction."""
        if self.rng.random() < self.slow_commits:
            return self.rng.uniform(COMMIT_S, COMMIT_SLOW_MAX_S)
        return COMMIT_S
