"""Over a restart, in the words of the election: what the kernel still serves (rule 8), what the agent before knew."""

from collections.abc import Container, Iterable, Mapping

from vipa.election.events import HeldAtStart, HeldLast
from vipa.election.holders import held_last_here
from vipa.election.node import Node
from vipa.plan import Plan
from vipa_agent.kernel.flips import Held


def adoptable(plan: Plan, held: Iterable[Held], terms: Mapping[str, int]) -> list[HeldAtStart]:
    """The virtual IPs of ``plan`` of which every address is held, on one interface. ``terms``: a :func:`memory`."""
    by_address = {h.address: h for h in held}
    found = []
    for vip in plan.vips:
        of_vip = [by_address[a] for a in vip.addresses if a in by_address]
        if len(of_vip) == len(vip.addresses) and len({h.interface for h in of_vip}) == 1:
            first = of_vip[0]
            found.append(HeldAtStart(vip.addresses, first.interface, first.until, terms.get(_key(vip.id), 0)))
    return found


def copies(plan: Plan, own: Container[str]) -> set[str]:
    """Addresses that are bound here whoever serves them; ``own``: this node's own addresses."""
    every = (vip for vip in plan.vips if vip.everywhere and any(e.address in own for e in vip.succession))
    return {address for vip in every for address in vip.addresses}


def memory(node: Node) -> dict[str, int]:
    """For the state file: the term of each VIP, by its id, and which paused ones were held here last."""
    found = {_key(vip.id): max(vip.term, vip.term_seen) for vip in node.vips.values()}
    paused = (vip for vip in node.vips.values() if vip.plan.policy.paused)
    return found | {_held(vip.id): 1 for vip in paused if held_last_here(node, vip)}


def held_last(plan: Plan, known: Mapping[str, int]) -> list[HeldLast]:
    """Those of ``plan`` that the agent before held last; ``known``: its :func:`memory`."""
    return [HeldLast(vip.addresses) for vip in plan.vips if _held(vip.id) in known]


def _key(vip_id: int) -> str:
    return f"{vip_id:016x}"


def _held(vip_id: int) -> str:
    return f"{vip_id:016x} held"
