"""What this node knows of a virtual IP's holder: who it is, when it was heard, since when it is silent (rule 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vipa.election.states import State
from vipa.heartbeat.model import WireRole

if TYPE_CHECKING:
    from vipa.election.node import Node
    from vipa.election.peers import Peer
    from vipa.election.vip import VipState


def silence_s(node: Node, vip: VipState) -> float:
    """Silence after which to suspect: at the rate the holder advertises to this node, if that is slower. A node
    that no longer says *Holder* has no say in it."""
    holder = node.peers.get(vip.holder)
    holds = holder is not None and holder.role(vip.id) is WireRole.HOLDER
    interval_s = max(vip.profile.interval_s, holder.interval_s if holder and holds else 0.0)
    return interval_s * vip.profile.miss


def known(node: Node, vip: VipState) -> bool:
    """Whether this node or a peer heard lately is Holder."""
    if vip.state is State.HOLDER:
        return True
    return any(p.role(vip.id) is WireRole.HOLDER and p.alive(node.now) for p in node.peers.values())


def heard_at(node: Node, vip: VipState) -> float:
    """Last time any other node was heard two-way as Holder, by itself or by fresh relay; remembers who."""
    network = node.network(vip)
    for peer in node.peers.values():
        at = peer.holder_at(vip.id, network)
        if at > vip.holder_seen_at:
            vip.holder_seen_at, vip.holder, vip.relayed_by = at, peer.node, ""
    return vip.holder_seen_at


def held_last_here(node: Node, vip: VipState) -> bool:
    """Whether this node held it last, by all it knows."""
    return vip.state is State.HOLDER or vip.held_at > heard_at(node, vip)


def restarted(node: Node, addresses: tuple[str, ...]) -> None:
    """The agent before this one held the VIP with these addresses last (``HeldLast``)."""
    for vip in node.vips.values():
        if set(vip.plan.addresses) == set(addresses):
            vip.held_at = node.now


def claimable(node: Node, vip: VipState) -> bool:
    """Whether this node may claim it at all: while paused, it stays with who held it last."""
    return not vip.plan.policy.paused or held_last_here(node, vip)


def fresh(node: Node, vip: VipState, but: Peer | None = None) -> Peer | None:
    """A peer (other than ``but``) that is Holder, heard two-way within one silence."""
    network = node.network(vip)
    for peer in node.peers.values():
        if peer is not but and node.now - peer.holder_at(vip.id, network) <= vip.profile.silence_s:
            return peer
    return None


def other_than(node: Node, vip: VipState, peer: Peer) -> bool:
    """Whether anyone but ``peer`` said last that it holds, and is heard, be it one way."""
    return any(p is not peer and p.role(vip.id) is WireRole.HOLDER and p.alive(node.now) for p in node.peers.values())


def silent_at(node: Node, vip: VipState) -> float:
    """When the present silence is (or was) long enough to suspect.

    After a lateness of this node a Holder that is heard at all counts, since its echoes are stale through no fault
    of its own; after a freeze everything starts over. On a machine that is always late the truly silent are so
    still suspected.
    """
    seen_at = max(heard_at(node, vip), node.frozen_until)
    trusted_since = node.health.trusted_since
    if trusted_since > seen_at and any(
        p.role(vip.id) is WireRole.HOLDER and p.heard_at >= trusted_since for p in node.peers.values()
    ):
        seen_at = trusted_since
    return seen_at + silence_s(node, vip)
