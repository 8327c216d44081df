"""``binding: EveryCandidate``: each candidate has the address bound from the start, a *copy*, whoever answers for it.

So remote clients can be spread over all of them, and a takeover binds nothing. The gate keeps a copy that is not
elected from answering. This module says when a copy comes, by which adapter its replies leave, and when it goes: not
with the right to answer, but when the node is no candidate any more, and then with a linger, since routers learn of it
later.
"""

from typing import Final, NamedTuple

from vipa.election.actions import Steer, Unbind
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.reasons import Reason

LINGER_S: Final = 1.5
"""A copy that is no next hop any more still serves what arrives: as long as an old holder does (rule 4), in which time
an operator has told, and a router read, that there is one hop less."""

_BUSY: Final = frozenset({State.HOLDER, State.YIELDING, State.RECEIVING, State.CLAIMING})
"""Who serves, or is about to: what it does at its end decides how long the address stays."""


class Leaving(NamedTuple):
    """A copy of a virtual IP that left the plan goes at ``until``."""

    name: str
    addresses: tuple[str, ...]
    until: float


def keep(node: Node, vip: VipState) -> None:
    """One look at a virtual IP: its copy is there, or on its way out."""
    if not vip.plan.everywhere:
        if vip.copied and vip.bound and vip.state not in _BUSY and vip.unbind_at == NEVER:
            node.linger(vip, node.now + LINGER_S)  # it is bound on the holder alone from now on
        vip.copied = False
        return
    if node.stays(vip):
        vip.copied = True
        if not vip.bound or vip.unbind_at != NEVER or vip.bound_on != node.interfaces(vip):
            vip.unbind_at = vip.linger_until = NEVER
            node.rebind(vip)
        _steer(node, vip)
    elif vip.copied and vip.bound and node.stopping_since is None:
        vip.copied = False
        node.linger(vip, node.now + LINGER_S)


def _steer(node: Node, vip: VipState) -> None:
    """Replies of a copy that is not elected leave by this node's best adapter. The elected one's way comes with its
    election, and stays when that ends."""
    best = node.best_local(vip)
    if best is None or vip.elected or vip.permitting or best[1].interface == vip.replies_by:
        return
    vip.replies_by = best[1].interface
    node.emit(Steer(vip.name, vip.plan.addresses, vip.replies_by))


def unplanned(node: Node, vip: VipState) -> None:
    """``vip`` is not in the plan any more: its copy lingers, all else goes at once."""
    node.revoke(vip)
    if vip.bound and (vip.copied or vip.plan.everywhere):
        node.leaving[vip.id] = Leaving(vip.name, vip.plan.addresses, node.now + LINGER_S)
        vip.bound = False
    node.unbind(vip)


def planned_again(node: Node, vip: VipState) -> None:
    """``vip`` is new in the plan; maybe it was there a moment ago."""
    left = node.leaving.pop(vip.id, None)
    if left is not None:
        vip.bound, vip.unbind_at = True, left.until


def go(node: Node) -> None:
    """Unbind what has lingered."""
    for vip_id, left in list(node.leaving.items()):
        if node.now >= left.until:
            del node.leaving[vip_id]
            bound = {address for address, vip in node.by_address.items() if vip.bound}
            gone = tuple(address for address in left.addresses if address not in bound)
            if gone:  # what another virtual IP has bound by now is that one's to unbind
                node.emit(Unbind(left.name, gone))


def go_at(node: Node) -> float:
    """When :func:`go` has something to do; infinite for never."""
    return min((left.until for left in node.leaving.values()), default=float("inf"))


def stop(node: Node) -> None:
    """This node is about to stop: its copies serve for a while what routers still send."""
    copies = [vip for vip in node.vips.values() if vip.copied and vip.bound]
    for vip in copies:
        vip.linger_until = node.now + LINGER_S
        if vip.state not in _BUSY:
            vip.unbind_at = vip.linger_until
    if copies:  # told at once: from now on it is no next hop
        node.note(Reason.SHUTDOWN, node.config.node, f"copies of {len(copies)} virtual IPs go in {LINGER_S:g} s")
