"""Spares of a holder that falls silent stand in line to be probed, and are looked at when their turn comes.

With thousands, a look at each of them at that moment, only to find that all places are taken, would delay the first.
"""

from operator import attrgetter
from typing import Final

from vipa.election.claim import WAIT_S
from vipa.election.node import Node
from vipa.election.wakes import Wakes

_in_order: Final = attrgetter("order")


def line_up(node: Node, wakes: Wakes) -> None:
    """Who may be silent by now stands in line, in the plan's order; those for whom there is room are made dirty. Who
    comes first and is not to be probed passes its turn on (:meth:`Node.rest`)."""
    names = wakes.silent(node.now)
    for vip in sorted((node.vips[name] for name in names if name in node.vips), key=_in_order):
        vip.turn_at = node.now + WAIT_S
        node.crowd.wait(vip.name)
        wakes.put(vip.name, vip.turn_at)
    while node.crowd.room(node.measure.probing):
        node.next_turn()
