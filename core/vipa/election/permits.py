"""What one node holds, interface by interface, and until when its kernel goes on answering there (rule 6)."""

from collections import Counter

from vipa.election.vip import VipState


class Permits:
    """``until``: end of the permit of each interface, CLOCK_BOOTTIME; an interface whose permit is untimed has none."""

    def __init__(self) -> None:
        self.until: dict[str, float] = {}
        self.renewing: tuple[tuple[str, float], ...] = ()
        """(interface, permit_s) as the renewal thread was last told."""
        self._held: Counter[tuple[str, float | None]] = Counter()
        """How many VIPs are held on an interface under a permit of this length (None: untimed)."""

    @property
    def any(self) -> bool:
        """Whether a VIP is held."""
        return bool(self._held)

    @property
    def untimed(self) -> bool:
        """Whether a VIP is held under a permit that never ends."""
        return any(permit_s is None for _, permit_s in self._held)

    def count(self, vip: VipState, held: tuple[str, float | None] | None) -> None:
        """``vip`` is held on (interface, permit_s) from now on; None: not at all."""
        if vip.held is not None:
            self._held[vip.held] -= 1
            if not self._held[vip.held]:
                del self._held[vip.held]
        vip.held = held
        if held is not None:
            self._held[held] += 1

    def shortest_s(self, interface: str, permit_s: float) -> float:
        """Permit for one more VIP with ``permit_s`` of its own: the shortest of all that are held there."""
        return min([permit_s, *(s for on, s in self._held if on == interface and s is not None)])

    def renewed_differently(self) -> bool:
        """Work out anew what the renewal thread is to keep alive; forget the ends of all other permits. Returns whether
        ``renewing`` changed."""
        wanted: dict[str, float] = {}
        for interface, permit_s in self._held:
            if permit_s is not None:
                wanted[interface] = min(wanted.get(interface, permit_s), permit_s)
        for interface in [i for i in self.until if i not in wanted]:
            del self.until[interface]
        before, self.renewing = self.renewing, tuple(sorted(wanted.items()))
        return self.renewing != before
