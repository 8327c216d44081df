"""What the agent reports to the API: ``VirtualIPNode.status``, steady while nothing that matters changes.

A status is written only when it differs, so nothing in it may differ by itself: times are worked out once, and a
spare's doubts, which come and go within milliseconds and mostly to nothing, are not told.
"""

import asyncio
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import msgspec

from vipa import __version__
from vipa.election import checks
from vipa.election.elector import Elector
from vipa.election.events import LocalInterface
from vipa.election.node import Node
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.resources.node import (
    AgentStatus,
    BgpSessionStatus,
    InterfaceStatus,
    PathStatus,
    PeerStatus,
    RepairStatus,
    Role,
    VipStatus,
    VirtualIPNodeStatus,
)
from vipa_agent.bgp.view import NO_BGP, BgpView
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.picture import has_copy, reason_of, role, wall
from vipa_agent.repairs import Repair
from vipa_agent.reported import Reported

VIPS_PER_TURN: Final = 100
"""All of them anew, as after a change of health, take about 15 µs each: 1.5 ms between two turns of the loop."""

_seen_of: Final = attrgetter("plan", "state", "reason", "since", "interface", "term", "conflict")
"""What a VIP's report depends on."""


class NodeStatus:
    """Remembers what was told before."""

    def __init__(self, elector: Elector, boot_id: str) -> None:
        self._elector = elector
        self._agent = AgentStatus(__version__, boot_id)
        self._told: dict[str, VipStatus] = {}
        self._seen: dict[str, object] = {}
        self._health: tuple[object, ...] = ()
        self._reported = Reported()

    async def document(
        self,
        interfaces: Iterable[LocalInterface],
        repairs: Iterable[Repair] = (),
        bgp: BgpView = NO_BGP,
    ) -> VirtualIPNodeStatus:
        """The status now. ``interfaces``: all of the node, as the kernel has them. The loop has its turns between."""
        node, now_s = self._elector.node, boottime_s()
        health = tuple((e.address, e.interface, e.healthy, e.reason) for e in node.health.endpoints.values())
        if health != self._health:  # what a role depends on beside the VIP itself
            self._health = health
            self._seen.clear()
        vips = []
        for number, (_, vip) in enumerate(sorted(node.vips.items()), start=1):
            vips.append(self._vip(node, vip, now_s))
            if number % VIPS_PER_TURN == 0:
                await asyncio.sleep(0)
        for name in self._told.keys() - node.vips.keys():
            del self._told[name]
            self._seen.pop(name, None)
        return VirtualIPNodeStatus(
            node=node.config.node,
            epoch=node.plan.epoch,
            interfaces=self._reported.look(interfaces, _judged(node), now_s),
            vips=tuple(vips),
            held=tuple(v.name for v in vips if v.role is Role.HOLDER),
            agent=self._agent,
            peers=tuple(_peer(node, peer, now_s) for _, peer in sorted(node.peers.items())),
            repairs=tuple(RepairStatus(r.what, r.reason, r.times) for r in repairs),
            frr=bgp.reason,
            frr_message=bgp.message,
            bgp=tuple(BgpSessionStatus(s.peer, s.state, s.bfd, s.local, s.advertised) for s in bgp.sessions),
        )

    def _vip(self, node: Node, vip: VipState, now_s: float) -> VipStatus:
        failing = checks.failures(node, vip)
        copy = has_copy(node, vip)
        told, seen = self._told.get(vip.name), (_seen_of(vip), failing, copy)
        if told is not None and self._seen.get(vip.name) == seen:
            return told  # of 2,000 VIPs hardly one changes at a time, and this runs on the loop
        self._seen[vip.name] = seen
        if told is not None and told.role is Role.SPARE and vip.state is State.SUSPECTING and told.copy is copy:
            return told
        now = VipStatus(
            name=vip.name,
            addresses=vip.plan.addresses,
            role=Role(role(node, vip)),
            interface=vip.interface,
            reason=reason_of(node, vip),
            term=vip.term,
            failing=failing,
            conflict=vip.conflict,
            copy=copy,
        )
        same = told is not None and (told.role, told.interface, told.term) == (now.role, now.interface, now.term)
        since = told.since if told is not None and same else wall(vip.since, now_s)
        told = self._told[vip.name] = msgspec.structs.replace(now, since=since)
        return told


def _judged(node: Node) -> dict[str, InterfaceStatus]:
    """What the election says of each service interface: of two endpoints on one the worse, for it is what is wrong."""
    judged: dict[str, InterfaceStatus] = {}
    for endpoint in node.health.endpoints.values():
        known = judged.get(endpoint.interface)
        if known is None or known.healthy:
            judged[endpoint.interface] = InterfaceStatus(
                endpoint.interface, healthy=endpoint.healthy, reason=endpoint.reason
            )
    return judged


def _peer(node: Node, peer: Peer, now_s: float) -> PeerStatus:
    paths = (path for path in node.paths.values() if path.theirs in peer.endpoints)
    told = (
        PathStatus(path.interface, "Up" if path.up(now_s, peer.interval_s) else "Down", path.loss_permille())
        for path in paths
    )
    return PeerStatus(peer.node, tuple(sorted(told, key=lambda p: (p.interface, p.state, p.loss_permille))))
