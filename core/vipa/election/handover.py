"""Rule 4: planned moves are make-before-break.

Holder: *offer* (term = highest seen + 1; given up after 500 ms) → successor binds, says *ready* → holder revokes but
still serves what arrives → *go*, repeated until *Holder* is heard → successor permits, announces, says *Holder* → old
holder lingers, unbinds. Only equality of epoch and term with the offer counts. Abort only before the first *go*.
"""

from typing import Final

from vipa.election import checks, claim, holders
from vipa.election.crowd import EXCHANGING_MAX
from vipa.election.node import Node
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Offer, Verdict, VipState
from vipa.heartbeat.model import Handover, HandoverStep, WireRole
from vipa.reasons import Reason

OFFER_S: Final = 0.5
"""An offer that is not ready by then is given up (01-election rule 4)."""

TURN_S: Final = 0.020
"""When many are to be offered, those that wait look again after a hand-over's usual time, as many in it as may be
offered at once."""

RETRY_S: Final = 2.0
"""Wait before the next offer after one was given up: four offers' lifetimes, so that a stuck peer costs little."""

VAIN_S_MAX: Final = 60.0
"""Who was ready and did not take over when told to cost clients a silence and a claim. The wait before the next offer
doubles each time, up to this: a kernel that refuses, for the bridge to a guest is missing say, does so for long."""

LINGER_S: Final = 1.5
"""The old holder still serves what arrives: longer than the 1.1 s announcement that repairs a client's cache."""


def offer(node: Node, vip: VipState, peer: Peer, *, at_once: bool = False) -> None:
    """Holder: offer the VIP to ``peer``; later, when many are under way and it need not be ``at_once``. Nodes with
    different plans make no planned moves (rule 13), unless this one is going away."""
    if vip.offer is not None or node.now < max(vip.offer_after, vip.offer_turn):
        return
    if len(node.exchanging) >= EXCHANGING_MAX and not at_once:
        vip.offer_turn = node.offers.turn(node.now + TURN_S)
        return
    if not _same_plan(vip, peer) and node.stopping_since is None:
        return
    vip.offer = Offer(peer.node, max(vip.term, vip.term_seen) + 1, vip.epoch, node.now)
    node.urgent = True
    for names in (node.dirty, node.rate_changes):
        names.add(vip.name)


def comes(node: Node, vip: VipState, peer: Peer) -> bool:
    """Whether the holder's next move is to ``peer`` by all it knows: offered; or to be, at its turn or when ``peer``
    has read the plan that changed a moment ago. An own endpoint in between would only be one more move."""
    if vip.offer is not None:
        return True
    if not _same_plan(vip, peer):
        return node.now < vip.compare_at
    return node.now < vip.offer_turn


def advance_offer(node: Node, vip: VipState) -> None:
    """Holder with an offer out: give it up in time."""
    if vip.offer is not None and node.now - vip.offer.at >= OFFER_S:
        vip.offer = None
        vip.offer_after = node.now + RETRY_S
        node.dirty.add(vip.name)


def advance_receiving(node: Node, vip: VipState) -> None:
    """Successor: the holder's offer ended without *go*."""
    if vip.offer is None or node.now - vip.offer.at >= OFFER_S:
        claim.give_up(node, vip, Reason.LOWER_IN_LIST)


def permit_refused(node: Node, vip: VipState) -> None:
    """Successor: the permit failed. The next *go* is as good as this one: it is repeated until someone holds. But not
    one of those that wait on the sockets now: claims in vain that follow each other at once would never let the loop
    go; and what fails again and again fails for a lasting reason."""
    assert vip.offer is not None
    vip.offer.at = node.now
    vip.offer.go_after = node.now + TURN_S * 2.0 ** min(vip.offer.tries, 4)
    vip.offer.tries += 1
    node.transition(vip, State.RECEIVING, Reason.CLAIM_EXPIRED)


def advance_yielding(node: Node, vip: VipState) -> None:
    """Old holder after *go*: linger once the successor says *Holder*; after a silence only rule 5 is left."""
    assert vip.offer is not None
    if holders.fresh(node, vip) is not None and holders.heard_at(node, vip) > vip.offer.at:
        vip.offer, vip.offers_in_vain = None, 0
        node.linger(vip, node.now + LINGER_S)
        node.transition(vip, State.SPARE, Reason.HANDED_OVER)
    elif not node.draining and node.now >= max(
        holders.silent_at(node, vip), vip.offer.at + holders.silence_s(node, vip)
    ):
        claim.suspect(node, vip)
        if vip.state is State.SUSPECTING:
            vip.offers_in_vain += 1
            vip.offer_after = node.now + min(RETRY_S * 2.0 ** min(vip.offers_in_vain - 1, 8), VAIN_S_MAX)
            node.linger(vip, node.now + LINGER_S)  # clients still send here, whoever gets it in the end
        elif node.now >= vip.offer.at + LINGER_S:
            vip.offer = None  # it may not suspect (no healthy endpoint, say): the others do
            node.unbind(vip)
            node.transition(vip, State.SPARE, Reason.HANDED_OVER)


def heard(node: Node, vip: VipState, peer: Peer, message: Handover) -> None:
    """One message of a planned move meant for this node, from a peer heard two-way."""
    match message.step:
        case HandoverStep.OFFER:
            _offered(node, vip, peer, message)
        case HandoverStep.READY:
            _ready(node, vip, peer, message)
        case HandoverStep.GO:
            _go(node, vip, peer, message)


def _same_plan(vip: VipState, peer: Peer) -> bool:
    """Whether ``peer`` works from the plan of ``vip`` that this node has, whatever the epochs. While a changed list is
    on its way to the nodes, one that has it and one that has not would hand over to each other in turns."""
    heard = peer.roles.get(vip.id)
    return heard is not None and heard.entry.plan == vip.digest


def _same(vip: VipState, peer: Peer, message: Handover) -> bool:
    offered = vip.offer
    return offered is not None and (offered.peer, offered.term, offered.epoch) == (
        peer.node,
        message.term,
        message.epoch,
    )


def _offered(node: Node, vip: VipState, peer: Peer, message: Handover) -> None:
    if vip.state is State.RECEIVING or vip.state not in (State.SPARE, State.SUSPECTING):
        return
    if peer.role(vip.id) is not WireRole.HOLDER or node.best_local(vip) is None or node.stopping_since is not None:
        return
    if (vip.verdict is not Verdict.PASSING or not _same_plan(vip, peer)) and not peer.stopping:
        return  # nobody has to leave: who does not know yet that it is well waits for the next offer
    if node.now < vip.refused_at + claim.REFUSED_S and not peer.stopping:
        return  # the kernel would refuse again, and clients would have waited for it
    if holders.other_than(node, vip, peer):
        return  # of two that hold it neither can give it away: first they duel
    vip.suspicion = None
    vip.term_seen = max(vip.term_seen, message.term - 1)
    vip.offer = Offer(peer.node, message.term, message.epoch, node.now, ready=True)
    node.bind(vip)
    node.transition(vip, State.RECEIVING, Reason.HANDED_OVER)


def _ready(node: Node, vip: VipState, peer: Peer, message: Handover) -> None:
    if vip.state is not State.HOLDER or not _same(vip, peer, message):
        return
    assert vip.offer is not None
    vip.offer.ready = True
    vip.offer.at = node.now
    node.revoke(vip)
    vip.holder, vip.holder_seen_at = peer.node, node.now
    fled = vip.verdict is Verdict.FAILING and node.stopping_since is None
    node.transition(vip, State.YIELDING, Reason.HEALTH_CHECK_FAILED if fled else Reason.HANDED_OVER)


def why_received(node: Node, vip: VipState) -> Reason:
    """Why this node becomes the holder: its own reason, or the health checks of the one that gives it away."""
    giver = node.peers.get(vip.offer.peer) if vip.offer is not None else None
    fled = giver is not None and not giver.stopping and checks.fails(giver, vip)
    return Reason.HEALTH_CHECK_FAILED if fled else vip.reason


def _go(node: Node, vip: VipState, peer: Peer, message: Handover) -> None:
    if vip.state is State.RECEIVING and _same(vip, peer, message):
        assert vip.offer is not None
        if node.now < vip.offer.go_after:
            return
        if holders.other_than(node, vip, peer):
            vip.offer = None
            claim.give_up(node, vip, Reason.LOWER_IN_LIST)
        else:
            claim.begin_received(node, vip)


def messages(node: Node, vip: VipState) -> Handover | None:
    """What this node's heartbeats say about a planned move of ``vip`` now."""
    if vip.offer is None:
        return None
    step = {
        State.HOLDER: HandoverStep.OFFER,
        State.RECEIVING: HandoverStep.READY,
        State.YIELDING: HandoverStep.GO,
    }.get(vip.state)
    peer = node.peers.get(vip.offer.peer)
    if step is None or peer is None:
        return None
    return Handover(vip.id, peer.id, step, vip.offer.term, vip.offer.epoch)
