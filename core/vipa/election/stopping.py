"""A shutdown: hand over what is held (rule 4), linger, then leave nothing behind."""

from typing import Final

from vipa.election import copies, handover
from vipa.election.actions import Stopped
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.reasons import Reason

STOP_S_MAX: Final = 2.5
"""A shutdown hands over for this long at most: SIGTERM to exit is promised within 3 s."""


def ask(node: Node) -> None:
    """``StopAsked``: from now on everything held is offered away."""
    if node.stopping_since is None:
        node.stopping_since = node.now
        copies.stop(node)
        node.urgent = True
        node.dirty.update(node.vips)


def hand_over(node: Node, vip: VipState) -> None:
    """Holder of a stopping node: offer to the best of the others, whoever that is; without any, or paused, stop."""
    assert node.stopping_since is not None
    paused = vip.plan.policy.paused
    remote = None if paused else node.best_remote(vip)
    if remote is None and not paused and (node.draining or node.now < _hears_at(node, vip)):
        vip.recheck_at = max(_hears_at(node, vip), node.now)
    elif remote is None or node.now - node.stopping_since >= STOP_S_MAX:
        node.revoke(vip)
        node.part(vip)
        vip.offer = None
        node.transition(vip, State.SPARE, Reason.SHUTDOWN)
    else:
        vip.offer_after = NEVER  # what was given up before the shutdown is tried again
        handover.offer(node, vip, remote[2])


def _hears_at(node: Node, vip: VipState) -> float:
    """When nobody heard means that nobody is there: a node that was late first has to hear the others again. What
    waits on its sockets tells whether there are any."""
    heard = any(peer.heard_at >= node.health.trusted_since for peer in node.others(vip))
    return node.health.trusted_since + vip.profile.silence_s if heard else NEVER


def finish(node: Node) -> None:
    """Once all hand-overs and lingers have ended, or their time is up: release the rest and say so, once."""
    if node.stopping_since is None or node.stopped:
        return
    expired = node.now - node.stopping_since >= STOP_S_MAX
    busy = any(v.state in (State.HOLDER, State.YIELDING, State.CLAIMING) or v.bound for v in node.vips.values())
    if busy and not expired:
        return
    for vip in node.vips.values():
        node.release(vip)
    node.stopped = True
    node.claims.append(Stopped())  # after the beats that say who is gone: else spares wait for the permit's end


def end_at(node: Node) -> float:
    """When a shutdown under way ends in any case; infinite without one."""
    return float("inf") if node.stopping_since is None or node.stopped else node.stopping_since + STOP_S_MAX
