"""Who serves nothing: listening first (rule 12), then a spare, until the holder is silent (rule 5)."""

from vipa.election import claim, holders
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.reasons import Reason


def listening(node: Node, vip: VipState) -> None:
    """One wake of a virtual IP that is only listened for (rule 12)."""
    if node.isolated(vip):
        vip.reason = Reason.ISOLATED
        vip.listen_until = node.now + vip.profile.silence_s
    elif holders.fresh(node, vip) is not None:
        node.transition(vip, State.SPARE, Reason.LOWER_IN_LIST)
    elif not node.draining and node.now >= vip.listen_until:
        node.transition(vip, State.SPARE, Reason.LISTENING)
        spare(node, vip)


def spare(node: Node, vip: VipState) -> None:
    """One wake of a spare: is its holder silent?"""
    if node.isolated(vip):
        node.listen(vip, Reason.ISOLATED)
    elif node.now < holders.silent_at(node, vip):
        vip.turn_at, vip.behind = NEVER, None
        node.rest(vip)
    elif not node.draining and node.now >= vip.turn_at:
        claim.suspect(node, vip)
        if vip.state is State.SUSPECTING:
            claim.advance(node, vip)
