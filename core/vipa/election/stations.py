"""ARP in: who is on the LAN (rule 2), answers to probes (rule 5), and other owners of a virtual IP (rule 10)."""

from collections.abc import Iterator
from typing import Final

from vipa.election import claim, holding
from vipa.election.actions import Announce
from vipa.election.events import ArpKind, ArpSeen
from vipa.election.health import ANYBODY, NEVER
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.frames6 import UNSPECIFIED
from vipa.reasons import Reason

DEFEND_S: Final = 10.0
"""At most one defence against a foreign owner in this time (RFC 5227 §2.4, DEFEND_INTERVAL)."""

FORGOTTEN_S: Final = 60.0
"""A foreign station not seen for so long has the address no more: claims look for it every 30 s, and Linux asks anew
what it uses after 15 to 45 s (base_reachable_time)."""


_HEED_OURS: Final = frozenset({State.SUSPECTING, State.CLAIMING, State.HOLDER})
"""States in which it matters that one of our own nodes says to have the virtual IP."""


def heeds_ours(node: Node, address: str) -> bool:
    """Whether what our own nodes say of ``address`` by broadcast can change anything but that they are there."""
    vip = node.by_address.get(address)
    return vip is not None and vip.state in _HEED_OURS


def seen(node: Node, event: ArpSeen) -> None:
    """One ARP frame."""
    if event.sender_mac in node.own_macs:
        return
    vip = node.by_address.get(event.sender_address)
    station = event.sender_address
    if vip is not None or station in ("", ANYBODY, UNSPECIFIED) or station in node.peer_addresses:
        station = ""
    node.health.heard(node.now, event.interface, station)
    if event.sender_address in node.peer_addresses:
        node.our_macs[event.sender_mac] = event.sender_address
    if event.kind is ArpKind.REPLY:
        for endpoint in _asking(node, event):
            node.health.contact(node.now, endpoint, event.sender_address)
    if vip is not None:
        _vip_claimed(node, vip, event)


def _asking(node: Node, event: ArpSeen) -> Iterator[str]:
    """Own endpoints that the answer is for."""
    return (
        e.address
        for e in node.health.endpoints.values()
        if e.interface == event.interface and e.address == event.target_address
    )


def _vip_claimed(node: Node, vip: VipState, event: ArpSeen) -> None:
    """Some station says the VIP is its own: an answer to our probe, or a rival (rule 10)."""
    ours = event.sender_mac in node.our_macs
    if vip.state in (State.SUSPECTING, State.CLAIMING) and event.kind is ArpKind.REPLY:
        node.dirty.add(vip.name)
        claim.answered(node, vip, event.sender_mac)
        return
    if vip.state is State.HOLDER or not ours:
        node.dirty.add(vip.name)
    if not ours:
        if node.our_macs or vip.state is State.HOLDER:
            vip.rival, vip.rival_at = event.sender_mac, node.now
    elif vip.state is State.HOLDER:
        _rival_of_ours(node, vip, event)


def contest(node: Node, vip: VipState) -> None:
    """One wake of a virtual IP that a foreign station says, or lately said, to have. Its holder defends it by one
    announcement in ten seconds; the last comes after the rival's last, or clients would stay with the rival."""
    if node.now >= vip.rival_at + FORGOTTEN_S:
        vip.rival_at, vip.conflict = NEVER, ""
        node.note(Reason.NO_CONFLICT, vip.name)
        return
    if vip.rival_at > vip.disputed_at and node.now >= vip.disputed_at + DEFEND_S:
        vip.disputed_at = node.now
        defends = vip.state is State.HOLDER and bool(vip.elected)
        if defends or vip.conflict != vip.rival:
            vip.conflict = vip.rival
            node.note(Reason.CONFLICT, vip.name, vip.rival)
        if defends:
            node.emit(Announce(vip.name, vip.plan.addresses, vip.interface))
    defends_again = vip.rival_at > vip.disputed_at
    vip.recheck_at = vip.disputed_at + DEFEND_S if defends_again else vip.rival_at + FORGOTTEN_S


def _rival_of_ours(node: Node, vip: VipState, event: ArpSeen) -> None:
    """One of ours answers for what this node holds: give way to a better one not heard lately, else announce again."""
    peer = node.peer_by_address.get(node.our_macs[event.sender_mac])
    mine = vip.rank(vip.elected)
    ranks = [vip.rank(a) for a in (peer.endpoints if peer else ())]
    better = mine is not None and any(r is not None and r < mine for r in ranks)
    if better and peer is not None and node.now - peer.heard_at > vip.profile.silence_s:
        # its heartbeats may be blocked one way while it serves
        node.release(vip)
        vip.holder, vip.holder_seen_at = peer.node, node.now
        node.transition(vip, State.SPARE, Reason.RIVAL_ANNOUNCED)
    elif node.now - vip.defended_at >= vip.profile.gap_s:
        vip.defended_at = node.now
        holding.start_announcing(node, vip)
