"""What the agents report, indexed by what it is about, and followed change by change."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from vipa.plan import Endpoint
from vipa.reasons import Reason
from vipa.resources.node import InterfaceStatus, Role, VipStatus, VirtualIPNodeStatus
from vipa_operator.reconcile.cluster import Cluster

UP: Final = "Up"
"""Word of an agent for a path that answers."""


@dataclass(frozen=True, slots=True)
class Holding:
    """An agent says that it serves a VIP."""

    node: str
    report: VipStatus
    interface: InterfaceStatus | None


@dataclass(frozen=True, slots=True)
class Health:
    """Of one endpoint, by its own agent and the others. ``own``: addresses of its interface, with prefix length."""

    healthy: bool
    reason: Reason
    own: tuple[str, ...] = ()


@dataclass(slots=True)
class _Agent:
    status: VirtualIPNodeStatus
    vips: dict[str, VipStatus]
    interfaces: dict[str, InterfaceStatus]
    hears: dict[str, bool]


@dataclass(slots=True)
class Reports:
    """``about``: VIP → node → that node's report."""

    about: dict[str, dict[str, VipStatus]] = field(default_factory=dict)
    _agents: dict[str, _Agent] = field(default_factory=dict)
    _heard: dict[str, dict[str, bool]] = field(default_factory=dict)

    def take(self, node: str, status: VirtualIPNodeStatus | None) -> tuple[set[str], set[str]]:
        """The newest status of the agent on ``node``, None without one. Returns (VIPs whose report changed, nodes whose
        health may look different)."""
        before = self._agents.get(node)
        if before is not None and before.status == status:
            return set(), set()
        after = _index(status) if status is not None else None
        old_vips, new_vips = (a.vips if a else {} for a in (before, after))
        changed = {v for v in old_vips.keys() | new_vips.keys() if old_vips.get(v) != new_vips.get(v)}
        for vip in changed:
            reports = self.about.setdefault(vip, {})
            reports.pop(node, None)
            if vip in new_vips:
                reports[node] = new_vips[vip]
            if not reports:
                del self.about[vip]
        old_hears, new_hears = (a.hears if a else {} for a in (before, after))
        peers = {p for p in old_hears.keys() | new_hears.keys() if old_hears.get(p) != new_hears.get(p)}
        for peer in peers:
            hearers = self._heard.setdefault(peer, {})
            hearers.pop(node, None)
            if peer in new_hears:
                hearers[node] = new_hears[peer]
        if after is None:
            self._agents.pop(node, None)
        else:
            self._agents[node] = after
        same = before is not None and after is not None and before.interfaces == after.interfaces
        return changed, peers if same else {*peers, node}

    def peers(self, node: str) -> frozenset[str]:
        """The nodes that the agent on ``node`` speaks about."""
        agent = self._agents.get(node)
        return frozenset(agent.hears) if agent is not None else frozenset()

    def silent(self, node: str, cluster: Cluster) -> bool:
        """Other agents know ``node`` as a peer, and none of them hears it. Only agents of Ready nodes are asked: what a
        dead one said last is no news."""
        said = self._said(node, cluster)
        return bool(said) and not any(said)

    def heard(self, node: str, cluster: Cluster) -> bool:
        """An agent of a Ready node hears ``node``, so its agent runs."""
        return any(self._said(node, cluster))

    def _said(self, node: str, cluster: Cluster) -> list[bool]:
        return [heard for by, heard in self._heard.get(node, {}).items() if _ready(by, cluster)]

    def health(self, endpoint: Endpoint, cluster: Cluster) -> Health:
        """Whether ``endpoint`` could serve now."""
        agent = self._agents.get(endpoint.node)
        if agent is None or not agent.status.node or self.silent(endpoint.node, cluster):
            return Health(False, Reason.NOT_HEARD)
        interface = agent.interfaces.get(endpoint.interface)
        if interface is None:
            return Health(False, Reason.INTERFACE_MISSING)
        if interface.healthy:
            return Health(True, Reason.HEALTHY, interface.addresses)
        return Health(False, word(interface.reason, Reason.NO_HEALTHY_ENDPOINT))

    def of(self, vip: str, addresses: Collection[str]) -> dict[str, VipStatus]:
        """Node → its report about ``vip``, of those that mean it with these addresses: after they were edited an agent
        speaks of the old ones for a moment."""
        return {n: report for n, report in self.about.get(vip, {}).items() if set(report.addresses) == set(addresses)}

    def holding(self, vip: str, addresses: Collection[str], cluster: Cluster) -> Holding | None:
        """Who serves ``vip`` with ``addresses``: of those who say so, the one with the highest term. Left out are
        nodes whose agent nobody hears and whose kubelet is silent too, or their Node gone: what they said last stands
        there for ever."""
        found = [
            (report.term, report.since, node)
            for node, report in self.of(vip, addresses).items()
            if report.role is Role.HOLDER and (_ready(node, cluster) or not self.silent(node, cluster))
        ]
        if not found:
            return None
        node = max(found)[2]
        report = self.about[vip][node]
        return Holding(node, report, self._agents[node].interfaces.get(report.interface))


def _ready(node: str, cluster: Cluster) -> bool:
    return node in cluster.nodes and cluster.nodes[node].ready


def word(text: str, otherwise: Reason) -> Reason:
    """``text`` of an agent as a word of the one enum; an agent of another version may know more of them."""
    try:
        return Reason(text)
    except ValueError:
        return otherwise


def _index(status: VirtualIPNodeStatus) -> _Agent:
    return _Agent(
        status,
        {v.name: v for v in status.vips},
        {i.name: i for i in status.interfaces},
        {p.node: any(path.state == UP for path in p.paths) for p in status.peers if p.paths},
    )
