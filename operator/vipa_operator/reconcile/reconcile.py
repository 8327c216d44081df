"""Cluster in, writes out. The answer follows from the cluster alone; a :class:`Reconciler` only remembers what it has
worked out before, so that one change costs what it touches and not the whole cluster."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from vipa.plan import Endpoint, PlannedVip, Refusal
from vipa.planner import InterfaceView, NodeView, Planner
from vipa.resources.node import VirtualIPNodeSpec
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.reconcile.cluster import Cluster, Key, Kind, SeenAgent, SeenVip
from vipa_operator.reconcile.events import changes, events, refused
from vipa_operator.reconcile.lastknown import keep_unreported, last_plans
from vipa_operator.reconcile.leaving import Leave, leave
from vipa_operator.reconcile.moving import Decided, base, decide, leave_last, nothing
from vipa_operator.reconcile.reports import Reports
from vipa_operator.reconcile.shares import Shares
from vipa_operator.reconcile.status import Facts, status_of
from vipa_operator.reconcile.writes import AnnotationWrite, SpecWrite, StatusWrite, Writes


def reconcile(cluster: Cluster, now: datetime) -> Writes:
    """Everything that has to be written so that ``cluster`` is as it should be. Changes nothing."""
    return Reconciler().reconcile(cluster, cluster.keys(), now)


class Reconciler:
    """Remembers between calls; begin with all keys of the cluster. A new one at any time says the same."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        """VIP → Ready, NotReady or Refused, for the metrics."""
        self._planner = Planner(strangers=False)
        self._views: dict[str, NodeView] = {}
        self._specs: dict[str, object] = {}
        self._reports = Reports()
        self._shares = Shares()
        self._unread: set[str] = set()
        self._begun = False

    def reconcile(self, cluster: Cluster, changed: Iterable[Key], now: datetime) -> Writes:
        """What has to be written after these objects changed, came or went (or may have)."""
        keys = set(changed)
        names = {kind: {k.name for k in keys if k.kind is kind} for kind in Kind}
        dirty = names[Kind.VIP] | self._unread
        if not self._begun:
            self._begun = True
            self._shares.begin(last_plans(cluster))
            dirty |= self._shares.known()
        vips, looks = self._take_reports(cluster, names[Kind.AGENT] | names[Kind.NODE])
        dirty |= vips | {vip for node in looks for vip in self._shares.of(node)}
        dirty |= self._plan(cluster, names)
        writes = Writes()
        nodes: set[str] = set()
        for vip in sorted(dirty):
            nodes |= self._settle(cluster, vip, now, writes)
        looks = {node for node in looks if node in cluster.agents and node not in cluster.nodes}
        self._write_specs(cluster, nodes | looks | names[Kind.AGENT] | names[Kind.NODE], now, writes)
        for kind, seen in ((Kind.LIST, cluster.lists), (Kind.POOL, cluster.pools)):
            for name in sorted(names[kind] & seen.keys()):
                if (refusal := seen[name].refusal) is not None:
                    writes.events.append(refused(kind, seen[name], refusal))
        return writes

    def count_states(self) -> Counter[str]:
        """How many VIPs are Ready, NotReady, Refused."""
        return Counter(self.states.values())

    # --- what changed

    def _take_reports(self, cluster: Cluster, names: Iterable[str]) -> tuple[set[str], set[str]]:
        """Returns (VIPs about which the agents say something else now, nodes whose health may look different)."""
        dirty: set[str] = set()
        looks: set[str] = set()
        for name in names:
            agent = cluster.agents.get(name)
            vips, health = self._reports.take(name, agent.status if agent is not None else None)
            dirty |= vips
            looks |= {name, *health, *self._reports.peers(name)}
        return dirty, looks

    def _plan(self, cluster: Cluster, names: dict[Kind, set[str]]) -> set[str]:
        """Give the planner what changed for it. Returns the VIPs whose answer may be another."""
        vips = {}
        for name in names[Kind.VIP]:
            vip = cluster.vips.get(name)
            spec = vip.spec if vip is not None else None
            if self._specs.get(name) is not spec:
                vips[name] = spec
                self._specs[name] = spec
            if spec is None:
                self._specs.pop(name, None)
        lists = {name: seen.spec if (seen := cluster.lists.get(name)) else None for name in names[Kind.LIST]}
        unread = [s.refusal for s in cluster.lists.values() if s.refusal is not None] if names[Kind.LIST] else None
        return set(self._planner.update(vips=vips, lists=lists, nodes=self._take_nodes(cluster, names), refused=unread))

    def _take_nodes(self, cluster: Cluster, names: dict[Kind, set[str]]) -> list[NodeView] | None:
        """All nodes as the planner sees them, or None while that is what it saw before."""
        same = True
        for name in names[Kind.NODE] | names[Kind.AGENT]:
            view = _view(cluster, name)
            if view != self._views.get(name):
                same = False
                if view is None:
                    del self._views[name]
                else:
                    self._views[name] = view
        return None if same else list(self._views.values())

    # --- one VIP

    def _settle(self, cluster: Cluster, name: str, now: datetime, writes: Writes) -> set[str]:
        """Plan and status of one VIP. Returns the nodes whose share changed."""
        seen = cluster.vips.get(name)
        if seen is None:
            self.states.pop(name, None)
            self._unread.discard(name)
            return self._shares.put(name, None)
        answer = self._planner.answers.get(name) or seen.refusal
        assert answer is not None
        before = cluster.status_of(name)
        decided = self._decide(cluster, seen, answer, before, now)
        nodes = self._shares.put(name, decided.plan)
        refusal = answer if isinstance(answer, Refusal) else None
        after = self._status(cluster, seen, decided, refusal, before, now)
        self.states[name] = "Refused" if refusal else "Ready" if after.holder else "NotReady"
        if after != before:
            told = tuple(events(seen, changes(before, after)))
            writes.statuses.append(StatusWrite(name, seen.meta.uid, after, told))
        if decided.answered and seen.move_to:
            told = tuple(events(seen, decided.said))
            writes.annotations.append(AnnotationWrite(name, seen.meta.uid, seen.move_to, told))
        if decided.due_in_s is not None:
            writes.due_in_s[Key(Kind.VIP, name)] = decided.due_in_s
        return nodes

    def _decide(
        self, cluster: Cluster, seen: SeenVip, answer: PlannedVip | Refusal, before: VirtualIPStatus, now: datetime
    ) -> Decided:
        name = seen.meta.name
        last = self._shares.plan(name)
        meant = answer if isinstance(answer, PlannedVip) else last
        holding = self._reports.holding(name, meant.addresses, cluster) if meant is not None else None
        planned = keep_unreported(base(answer, seen, last, holding, cluster), last, cluster)
        if seen.spec is None and planned is not None and any(map(self._planner.serves, planned.addresses)):
            planned = None  # what cannot be read claims nothing: another VIP has the address by now
        (self._unread.add if seen.spec is None and planned is not None else self._unread.discard)(name)
        if planned is None:
            return nothing(seen, answer)
        wanted = seen.spec.spec.preferred_interface_list if seen.spec is not None else ""
        used = cluster.lists.get(wanted)
        generations = (seen.meta.generation, used.meta.generation if used is not None else 0)
        decided = decide(planned, seen, before.move, holding, generations, now)
        return decided._replace(plan=leave_last(decided.plan, last, holding))

    def _status(
        self,
        cluster: Cluster,
        seen: SeenVip,
        decided: Decided,
        refusal: Refusal | None,
        before: VirtualIPStatus,
        now: datetime,
    ) -> VirtualIPStatus:
        name, plan = seen.meta.name, decided.plan
        succession: tuple[Endpoint, ...] = plan.succession if plan is not None else ()
        facts = Facts(
            generation=seen.meta.generation,
            wanted=seen.wanted,
            plan=plan,
            refusal=refusal,
            move=decided.move,
            holding=self._reports.holding(name, plan.addresses, cluster) if plan is not None else None,
            health=tuple(self._reports.health(e, cluster) for e in succession),
            reports=self._reports.of(name, plan.addresses if plan is not None else seen.wanted),
        )
        return status_of(facts, before, now)

    # --- the nodes' shares

    def _write_specs(self, cluster: Cluster, nodes: Iterable[str], now: datetime, writes: Writes) -> None:
        epoch = 0
        for node in sorted(nodes):
            agent, pending, spec = cluster.agents.get(node), cluster.specs.get(node), cluster.spec_of(node)
            if agent is None and (node not in cluster.nodes or pending is not None):
                continue  # nothing to write to, or it is being made
            if not cluster.reported(node) and (spec is None or spec.epoch == 0):
                # No plan: the agent serves on by its last one. A plan of nothing would make it release everything.
                wanted = VirtualIPNodeSpec()
            else:
                share = self._shares.assignments(node)
                if spec is not None and spec.assignments == share and spec.epoch > 0:
                    wanted = spec
                else:  # one new epoch for all of this round
                    epoch = epoch or 1 + _highest_epoch(cluster)
                    wanted = VirtualIPNodeSpec(epoch, share)
            if agent is None:
                writes.specs.append(SpecWrite(node, "", wanted))
                continue
            leaving = self._leave(cluster, agent, wanted, now, writes)
            is_owned = agent.owned and pending is None
            if leaving.deletion is None and (spec, cluster.gone_of(node), is_owned) != (wanted, leaving.gone, False):
                writes.specs.append(SpecWrite(node, agent.meta.uid, wanted, leaving.gone, leaving.events))

    def _leave(
        self, cluster: Cluster, agent: SeenAgent, wanted: VirtualIPNodeSpec, now: datetime, writes: Writes
    ) -> Leave:
        """What follows for the object from its Node being there or not."""
        node = agent.meta.name
        if node in cluster.nodes:
            return Leave("")
        told = wanted == cluster.spec_of(node)
        leaving = leave(agent, cluster.gone_of(node), told, self._reports.heard(node, cluster), now)
        if leaving.deletion is not None:
            writes.deletions.append(leaving.deletion)
        if leaving.due_in_s is not None:
            writes.due_in_s[Key(Kind.AGENT, node)] = leaving.due_in_s
        return leaving


def _highest_epoch(cluster: Cluster) -> int:
    seen = (agent.spec.epoch for agent in cluster.agents.values())
    reported = (agent.status.epoch for agent in cluster.agents.values())
    return max(*(0, 0), *seen, *reported, *(write.spec.epoch for write in cluster.specs.values()))


def _view(cluster: Cluster, name: str) -> NodeView | None:
    """A node is what its Node says, on the interfaces its agent declares. Without its Node, but with an agent that
    reports, it is to be no candidate, and hands over what it holds."""
    node, agent = cluster.nodes.get(name), cluster.agents.get(name)
    if node is None and not cluster.reported(name):
        return None
    interfaces = tuple(InterfaceView(i.name, i.addresses) for i in agent.status.interfaces) if agent else ()
    return NodeView(name, node.labels if node else {}, interfaces, node is not None and not node.excluded)
