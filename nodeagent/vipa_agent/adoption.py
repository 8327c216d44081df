"""Rule 8: what the kernel still serves from before a restart, in the words of the election."""

from collections.abc import Iterable, Mapping

from vipa.election.events import HeldAtStart
from vipa.plan import Plan
from vipa_agent.kernel.flips import Held


def adoptable(plan: Plan, held: Iterable[Held], terms: Mapping[str, int]) -> list[HeldAtStart]:
    """The virtual IPs of ``plan`` of which every address is held, on one interface. ``terms`` by VIP id, 16 digits."""
    by_address = {h.address: h for h in held}
    found = []
    for vip in plan.vips:
        of_vip = [by_address[a] for a in vip.addresses if a in by_address]
        if len(of_vip) == len(vip.addresses) and len({h.interface for h in of_vip}) == 1:
            first = of_vip[0]
            found.append(HeldAtStart(vip.addresses, first.interface, first.until, terms.get(f"{vip.id:016x}", 0)))
    return found
