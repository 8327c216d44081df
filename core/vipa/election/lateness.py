"""A node that was late distrusts itself first (rule 5): what it did not hear meanwhile proves nothing."""

from operator import attrgetter
from typing import Final

from vipa.election import claim
from vipa.election.node import Node
from vipa.election.states import State
from vipa.reasons import Reason

LATE_S_MIN: Final = 0.010
"""Lateness that an idle loop shows under load (p99). More than this and more than one silence is distrusted: up to
there the drained sockets tell what happened, peers still hold this node's beats for fresh, and a holder that said *go*
has not begun to probe. (01-election says one interval: on busy cores that kept Fast from ever claiming.)"""


def distrust(node: Node, late_s: float) -> None:
    """What follows from having been late by ``late_s``."""
    under_way = sorted((node.vips[name] for name in node.under_way & node.vips.keys()), key=attrgetter("order"))
    for vip in under_way:
        if vip.state is State.YIELDING and vip.offer is not None:
            vip.offer.at = node.now  # its *go* left only now: the successor has its time from here
    if late_s <= node.silence_min_s:
        return
    node.health.distrust(node.now)
    if late_s > node.permit_min_s / 2:
        node.frozen_until = node.now
        node.health.forget_merits(node.now)
    for vip in under_way:
        if vip.permitting:
            continue  # the kernel decides this one: its claim element ends by itself
        if vip.state in (State.CLAIMING, State.RECEIVING) or (
            vip.state is State.SUSPECTING and node.frozen_until == node.now
        ):
            vip.offer = None
            claim.give_up(node, vip, Reason.LISTENING)
