"""Rule 5: whose turn it is to claim, and after how many unanswered probes."""

import math
from typing import Final

from vipa.election import checks, holders
from vipa.election.node import Node
from vipa.election.vip import Behind, Verdict, VipState
from vipa.heartbeat.model import WireRole

LOSS_HEEDED: Final = 0.02
"""Less measured loss may be a stalled event loop, and the profile's probes cover it: two lost in a row are 1 in 2,500,
after three beats lost on every path."""

PROBES_MAX: Final = 20
"""Cap of 01-election rule 5: a claim may not take longer than a permit."""

TURNS_PATIENCE: Final = 3
"""Probe rounds between two takeovers of a node that takes over many: a batch of claims is one round and its commits."""

TURNS_PERMITS: Final = 4
"""After so many permits (2 s at Default) a better rank has had its time: it may be unable to take this one."""

TURN_S: Final = 0.002
"""And after this long for each virtual IP there is: four times what a takeover of thousands takes for each."""


def probes_for(loss: float) -> int:
    """Probes after which a living holder's silence is a one-in-a-million event: ceil(ln 1e-6 / ln loss), at most 20."""
    if loss < LOSS_HEEDED:
        return 0
    return min(math.ceil(math.log(1e-6) / math.log(min(loss, 0.99))), PROBES_MAX)


def ahead_of(node: Node, vip: VipState, mine: int) -> set[str]:
    """The nodes heard healthy ahead of endpoint index ``mine``, without the silent holder."""
    ahead: set[str] = set()
    place = checks.place(vip, mine)
    for index, endpoint in enumerate(vip.succession[:place]):
        peer = node.peer_by_address.get(endpoint.address)
        if peer is None or peer.node == vip.holder or checks.place_of(peer, vip, index) >= place:
            continue
        if peer.healthy_for_s(node.now, endpoint.address) is not None:
            ahead.add(peer.node)
    return ahead


def rank(node: Node, vip: VipState, mine: int) -> int:
    """r of rule 5."""
    return 1 + len(ahead_of(node, vip, mine))


def turn_of_another(node: Node, vip: VipState, mine: int) -> Behind | None:
    """A better rank that takes over one virtual IP after the other has not come to this one yet: wait a while. Who
    fails its health checks waits for anybody who does not."""
    patience_s = TURNS_PATIENCE * vip.profile.probes * vip.profile.gap_s
    ill = vip.verdict is Verdict.FAILING
    if not ill and not any(node.now - peer.took_at <= patience_s for peer in node.peers.values()):
        return None
    silent_at = max(holders.silent_at(node, vip), vip.listen_until)
    until = silent_at + TURNS_PERMITS * vip.profile.permit_s + TURN_S * len(node.vips)
    if node.now > until:
        return None
    for name in ahead_of(node, vip, mine):
        peer = node.peers[name]
        busy = node.now - peer.took_at <= patience_s and peer.role(vip.id) not in (None, WireRole.EXCLUDED)
        if busy or (ill and not checks.fails(peer, vip)):
            return Behind(name, patience_s, until)
    return None


def needed(node: Node, vip: VipState, mine: int) -> int:
    """Unanswered probes this spare needs: r × probes, more on a lossy path to the silent holder."""
    address = vip.succession[mine].address
    holder = node.peers.get(vip.holder)
    losses = [p.loss for p in node.paths.values() if p.mine == address and holder and p.theirs in holder.endpoints]
    return rank(node, vip, mine) * max(vip.profile.probes, probes_for(max(losses, default=0.0)))
