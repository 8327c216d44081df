"""When a virtual IP, and the whole node, needs a wake without any other input."""

from vipa.election import claim, handover, holders, holding
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import VipState


def wake_at(node: Node, vip: VipState) -> float:
    """When this VIP needs ``_advance`` without any other input."""
    at = float("inf")
    if vip.unbind_at != NEVER:
        at = vip.unbind_at
    if vip.recheck_at != NEVER:
        at = min(at, vip.recheck_at)
    if vip.compare_at != NEVER:
        at = min(at, vip.compare_at)
    match vip.state:
        case State.LISTENING:
            at = min(at, vip.listen_until)
        case State.SPARE:
            if _may_suspect(node, vip):
                at = min(at, max(holders.silent_at(node, vip), claim.not_before(vip), vip.turn_at))
        case State.SUSPECTING if vip.suspicion is not None:
            at = min(at, vip.suspicion.next_at)
        case State.RECEIVING if vip.offer is not None:
            at = min(at, vip.offer.at + handover.OFFER_S)
        case State.YIELDING if vip.offer is not None:
            at = min(at, vip.offer.at + max(handover.LINGER_S, holders.silence_s(node, vip)))
            if _may_suspect(node, vip):
                at = min(at, max(holders.silent_at(node, vip), vip.offer.at + holders.silence_s(node, vip)))
        case State.HOLDER:
            at = min(at, holding.announce_at(vip))
            if vip.offer is not None:
                at = min(at, vip.offer.at + handover.OFFER_S)
            if max(vip.offer_after, vip.offer_turn) > node.now:
                at = min(at, max(vip.offer_after, vip.offer_turn))
            if vip.unfit_since is not None:
                at = min(at, vip.unfit_since + holding.unfit_s(node, vip))
    return at


def _may_suspect(node: Node, vip: VipState) -> bool:
    return (
        holders.claimable(node, vip)
        and node.stopping_since is None
        and node.best_local(vip) is not None
        and not node.isolated(vip)
    )
