"""How often heartbeats go from this node to a peer: full rate between the holder and its first four spares, and among
all while no holder is known or a suspicion runs; else one a second."""

from typing import TYPE_CHECKING, Final

from vipa.election import checks, holders
from vipa.election.states import UNSETTLED, State
from vipa.heartbeat.model import WireRole

if TYPE_CHECKING:
    from vipa.election.node import Node
    from vipa.election.peers import Peer
    from vipa.election.vip import VipState

SLOW_S: Final = 1.0
"""Beats to nodes that need not take over within milliseconds."""

SPARES_FULL: Final = 4
"""Spares that get the full rate: the cost of a VIP stays flat in large clusters."""

UNHEARD_S: Final = 3.0
"""A peer silent for this long is probably gone for longer; it wakes us with its own full rate when it returns."""

_UNSETTLED_ROLES: Final = frozenset({WireRole.CLAIMING, WireRole.PERMITTING, WireRole.YIELDING})


def interval_s(node: "Node", peer: "Peer") -> float:
    """Interval to ``peer``: the shortest that any shared VIP wants."""
    if unheard(node, peer):
        return SLOW_S
    soonest = SLOW_S
    for vip in node.vips.values():
        if any(e.address in peer.endpoints for e in vip.succession):
            soonest = min(soonest, for_vip(node, vip, peer))
            if soonest <= node.fastest_s:
                break
    return soonest


def unheard(node: "Node", peer: "Peer") -> bool:
    """Whether ``peer`` is probably gone for longer."""
    return node.now - max(peer.heard_at, peer.met_at) > UNHEARD_S


def for_vip(node: "Node", vip: "VipState", peer: "Peer") -> float:
    """Interval to ``peer`` that one VIP wants."""
    profile = vip.profile
    theirs = peer.role(vip.id)
    if vip.state in UNSETTLED or vip.offer is not None or theirs in _UNSETTLED_ROLES or theirs is None:
        return profile.interval_s
    if vip.state is State.HOLDER:
        return _of_spare(node, vip, peer.node, without=node.config.node)
    if theirs is WireRole.HOLDER:
        return _of_spare(node, vip, node.config.node, without=peer.node)
    return SLOW_S if holders.known(node, vip) else profile.interval_s


def _of_spare(node: "Node", vip: "VipState", spare: str, without: str) -> float:
    """Rate for the spare by its place among the living, the holder left out."""
    place = 0
    seen: set[str] = {without}
    passing = not _fails(node, vip, spare)
    for endpoint in vip.succession:
        owner = node.peer_by_address.get(endpoint.address)
        name = owner.node if owner else node.config.node if endpoint.address in node.health.endpoints else ""
        if not name or name in seen:
            continue
        if name == spare:
            break
        seen.add(name)
        if passing and _fails(node, vip, name):
            continue
        if owner is None or owner.alive(node.now):
            place += 1
    if place == 0:
        return vip.profile.interval_s
    return vip.profile.other_interval_s if place < SPARES_FULL else SLOW_S


def _fails(node: "Node", vip: "VipState", name: str) -> bool:
    """Whether health checks of ``vip`` fail on a node: it comes after those on which none does."""
    peer = node.peers.get(name)
    return checks.fails(peer, vip) if peer is not None else checks.place(vip, 0) != 0
