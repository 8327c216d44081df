"""``attachment: VirtualEthernet`` (docs/design/0011-virtual-ethernet.md): the address belongs to a guest behind a
bridge of the node, and the node only proxies for it. Where the guest is not, there is nothing to proxy for.

A node without the guest is no candidate at all, whoever else there is; peers take it for one where a health check
fails, whatever their version. Where it is not known yet, only what is held already goes on.
"""

from typing import TYPE_CHECKING

from vipa.election import checks
from vipa.election.vip import VipState
from vipa.reasons import Reason

if TYPE_CHECKING:
    from vipa.election.events import GuestsChanged
    from vipa.election.node import Node


def take(node: "Node", event: "GuestsChanged") -> None:
    """What this node knows of its guests now."""
    node.guests = event
    judge(node)
    checks.judge(node)


def judge(node: "Node") -> None:
    """Guests or plan changed: what is known of each virtual IP."""
    for vip in node.vips.values():
        known = _known(node, vip)
        if known is not vip.guest:
            vip.guest = known
            node.urgent = True
            for names in (node.role_changes, node.rate_changes, node.dirty):
                names.add(vip.name)


def _known(node: "Node", vip: VipState) -> Reason | None:
    if not vip.plan.bridge:
        return Reason.HEALTHY
    absent = next((node.guests.absent[a] for a in vip.plan.addresses if a in node.guests.absent), None)
    if absent is not None:
        return absent[0]
    return Reason.HEALTHY if node.guests.here.issuperset(vip.plan.addresses) else None
