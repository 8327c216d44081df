"""What was elected before another program meddled with our tables is elected again, as long as its permit was to live.

Rule 6 forbids that a thawed agent brings a lapsed permit back, so this goes the way of a claim: a timed claim element
that ends before the old permit would have, then the permit's transaction, which fails without that element. However
long this process stands still in between, nothing is answered that the permit did not cover.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from vipa_agent.kernel import sets
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.flips import Flips
from vipa_agent.kernel.mirror import Mirror
from vipa_agent.kernel.nfnl import SetRef

CLAIM_S: Final = 0.1
"""Longest life of the claim element; the two transactions take 0.1 ms."""

MARGIN_S: Final = 0.01
"""An element lives up to two jiffies (4 ms at HZ=250) longer than it was told to."""

_KEPT: Final = tuple(
    ref for family in sets.FAMILIES for elections in family.all for ref in (elections.elected, elections.steady)
)


@dataclass(frozen=True, slots=True)
class _OnInterface:
    """``permit_s`` None: untimed; ``until``: end of the permit as far as it was renewed."""

    interface: str
    addresses: tuple[str, ...]
    permit_s: float | None
    until: float


class Elected:
    """All elections as this process knows them, to be taken before the tables are read anew. ``permits``: what is
    renewed."""

    def __init__(self, mirror: Mirror, flips: Flips, permits: Mapping[str, float]) -> None:
        self._mirror, self._flips = mirror, flips
        self._pairs = {ref: frozenset(mirror.known[ref]) for ref in _KEPT}
        timed = self._by_interface([family.record.elected for family in sets.FAMILIES])
        steady = self._by_interface([family.record.steady for family in sets.FAMILIES])
        self._wanted = [
            _OnInterface(interface, addresses, permits[interface], flips.until(interface))
            for interface, addresses in timed.items()
            if interface in permits  # else it has lapsed, and the election is about to hear of it
        ]
        self._wanted += [
            _OnInterface(interface, addresses, None, float("inf")) for interface, addresses in steady.items()
        ]

    def drop_others(self) -> None:
        """After the tables were read anew, before anything is concluded from them: what is there and was not elected
        here goes."""
        known = self._mirror.known
        self._mirror.sync({ref: {k: b"" for k in known[ref] if k in pairs} for ref, pairs in self._pairs.items()})

    def put_back(self, lapsed: Callable[[str], None]) -> None:
        """When all else is as it should be: what is missing is elected again. ``lapsed(interface)`` where that cannot
        be."""
        alive = [{e.key for e in self._mirror.socket.elements(ref)} for ref in sets.ALIVE]
        for on in self._wanted:
            key = sets.interface_key(on.interface)
            lives = on.permit_s is None or all(key in of_table for of_table in alive)
            if not (lives and self._all_there(on)) and not self._again(on, lapsed):
                self._flips.lapse(on.interface)
                lapsed(on.interface)

    def _by_interface(self, records: list[SetRef]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for pair in sorted(pair for ref in records for pair in self._pairs[ref]):
            address, interface = sets.pair_of(pair)
            found.setdefault(interface, []).append(address)
        return {interface: tuple(addresses) for interface, addresses in found.items()}

    def _all_there(self, on: _OnInterface) -> bool:
        for family, addresses in sets.by_family(on.addresses):
            refs = [each.steady if on.permit_s is None else each.elected for each in family.all]
            pairs = [sets.pair_key(address, on.interface) for address in addresses]
            if not all(pair in self._mirror.known[ref] for ref in refs for pair in pairs):
                return False
        return True

    def _again(self, on: _OnInterface, lapsed: Callable[[str], None]) -> bool:
        claim_s = min(CLAIM_S, on.until - boottime_s() - 2 * MARGIN_S)
        if claim_s <= MARGIN_S:
            return False
        self._flips.revoke(on.addresses, on.interface)
        if on.permit_s is not None:
            self._flips.end_permit(on.interface)
        if not self._flips.begin_claim(on.addresses, claim_s):
            return False
        if boottime_s() + claim_s + MARGIN_S > on.until:
            return False
        return self._flips.permit(on.addresses, on.interface, on.permit_s, lapsed)[0]
