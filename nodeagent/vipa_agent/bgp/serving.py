"""What of a node's virtual IPs routers may send it: pure, out of the election's state."""

from collections.abc import Mapping
from typing import Final

from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa_agent.bgp.rank import EVERYWHERE

WITHDRAW_S: Final = 0.5
"""Before a linger ends and the address goes: routers were seen to follow a withdrawal within 0.1 s."""


def served(node: Node, told: Mapping[str, int], now_s: float) -> tuple[dict[str, int], float]:
    """Prefix → term of what is served here, and when (the node's clock, ``now_s`` on it) the next of it is to be
    withdrawn, infinite for none. ``told``: what is advertised now.

    Who hands over goes on advertising until shortly before its linger's end: routers have the successor's advertisement
    by then, and prefer it. Where others serve it anyway, one that is to stop being among them is withdrawn at once, and
    its linger is for what is under way."""
    found: dict[str, int] = {}
    next_s = float("inf")
    for vip in node.vips.values():
        if vip.plan.everywhere:
            if _is_open(node, vip, now_s):
                found.update((prefix(address), EVERYWHERE) for address in vip.plan.addresses)
        elif vip.state is State.HOLDER:
            if _permitted(node, vip, now_s):
                found.update((prefix(address), vip.term) for address in vip.plan.addresses)
        elif until := _lingers_until(vip, now_s):
            kept = {prefix(address) for address in vip.plan.addresses} & told.keys()
            found.update((each, told[each]) for each in kept)
            next_s = min(next_s, until) if kept else next_s
    return found, next_s


def _permitted(node: Node, vip: VipState, now_s: float) -> bool:
    """Whether its kernel answers as far as the node knows: a state may lag behind a permit that ended."""
    if vip.held is None:
        return False
    interface, permit_s = vip.held
    return permit_s is None or node.permits.until.get(interface, now_s) > now_s


def _is_open(node: Node, vip: VipState, now_s: float) -> bool:
    """Whether this copy of an address that every candidate has is for routers."""
    if node.stopping_since is not None or not vip.bound:
        return False
    well = vip.verdict is not Verdict.FAILING and node.best_local(vip) is not None
    return (vip.state is State.HOLDER and _permitted(node, vip, now_s)) or (vip.copied and well)


def _lingers_until(vip: VipState, now_s: float) -> float:
    """0.0: it does not, or not any more for routers."""
    if not vip.bound:
        return 0.0
    if vip.state is State.YIELDING:
        return float("inf")
    until = vip.linger_until - WITHDRAW_S
    return until if until > now_s else 0.0


def prefix(address: str) -> str:
    """As FRR writes it."""
    return f"{address}/{128 if ':' in address else 32}"


def well(node: Node) -> frozenset[str]:
    """Adapters of this node that work."""
    return frozenset(endpoint.interface for endpoint in node.health.endpoints.values() if endpoint.healthy)
