"""The next hops that this agent knows of: its own adapters where it holds, and what heartbeats say of others'."""

from collections.abc import Iterable, Iterator
from typing import Any

from vipa.election import checks
from vipa.election.elector import Elector
from vipa.election.events import LocalInterface
from vipa.election.node import Node
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa.heartbeat.model import WireRole
from vipa.remote.hops import hops_of
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.picture import has_copy


def next_hops(elector: Elector, interfaces: Iterable[LocalInterface]) -> dict[str, dict[str, Any]]:
    """By VIP: name, addresses, ``holder`` ("" while none is heard), term, ``nextHops``."""
    node, now = elector.node, boottime_s()
    own = {interface.name: interface.addresses for interface in interfaces}
    return {vip.name: _entry(node, vip, own, now) for vip in node.vips.values()}


def _entry(node: Node, vip: VipState, own: dict[str, tuple[str, ...]], now: float) -> dict[str, Any]:
    holder, term, hops = "", 0, list[str]()
    if vip.state is State.HOLDER and node.permits.until.get(vip.interface, now) >= now:
        holder, term = node.config.node, vip.term
        well = [endpoint for _, endpoint in node.local(vip) if endpoint.healthy]
        hops = [h for e in well for h in hops_of(vip.plan.addresses, e.address, own.get(e.interface, ()))]
    elif (peer := _holder(node, vip, now)) is not None:
        holder, term = peer.node, peer.roles[vip.id].entry.term
        hops = [
            e.address for e in vip.succession if node.peer_by_address.get(e.address) is peer and _well(peer, e.address)
        ]
    if vip.plan.everywhere:
        hops = list(_copies(node, vip, own, now)) or hops
    return {
        "name": vip.name,
        "addresses": list(vip.plan.addresses),
        "holder": holder,
        "term": term,
        "nextHops": hops,
    }


def _copies(node: Node, vip: VipState, own: dict[str, tuple[str, ...]], now: float) -> Iterator[str]:
    """Healthy adapters of all nodes on which it is bound whoever holds it, as far as this one can know."""
    passing = has_copy(node, vip) and vip.verdict is not Verdict.FAILING
    for candidate in vip.succession:
        local = node.health.endpoints.get(candidate.address)
        peer = node.peer_by_address.get(candidate.address)
        if local is not None and passing and local.healthy:
            yield from hops_of(vip.plan.addresses, local.address, own.get(local.interface, ()))
        elif local is None and peer is not None and _well(peer, candidate.address) and _serves(peer, vip, now):
            yield candidate.address


def _serves(peer: Peer, vip: VipState, now: float) -> bool:
    return peer.two_way(now) and not peer.stopping and not checks.fails(peer, vip)


def _holder(node: Node, vip: VipState, now: float) -> Peer | None:
    saying = [peer for peer in node.peers.values() if peer.role(vip.id) is WireRole.HOLDER and peer.two_way(now)]
    return max(saying, key=lambda peer: peer.roles[vip.id].entry.term, default=None)


def _well(peer: Peer, address: str) -> bool:
    state = peer.endpoints.get(address)
    return state is not None and state.healthy
