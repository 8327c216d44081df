"""What an API server does with the operator's writes, as far as reconciliation can tell: objects as dicts in, dicts
changed. Stands at the edge; the code under test is real."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec

from vipa_operator.reconcile import EventWrite, Key, Kind, Reconciler, Writes, reconcile
from vipa_operator.reconcile.exclusion import DRAIN_ANNOTATION
from vipa_operator.reconcile.reading import GONE, MOVE_TO
from vipa_operator.requests import spelled
from vipa_operator.store import Store

Raw = dict[str, Any]
START = datetime(2026, 11, 23, 7, 0, 0, tzinfo=UTC)


@dataclass
class FakeCluster:
    """``objects`` are what the API server has; ``sync`` lets an operator reconcile until it is content."""

    objects: dict[Key, Raw] = field(default_factory=dict)
    now: datetime = START
    store: Store = field(default_factory=Store)
    reconciler: Reconciler = field(default_factory=Reconciler)
    events: list[EventWrite] = field(default_factory=list)
    written: list[Writes] = field(default_factory=list)
    _versions: Any = field(default_factory=lambda: count(1))

    def put(self, kind: Kind, name: str, **parts: object) -> Raw:
        """Make or change an object; ``spec``, ``status`` replace; ``meta`` adds to the metadata."""
        key = Key(kind, name)
        fresh = key not in self.objects
        raw: Raw = self.objects.setdefault(
            key,
            {
                "apiVersion": "v1" if kind is Kind.NODE else "vipa.dev/v1alpha1",
                "kind": kind.value,
                "metadata": {
                    "name": name,
                    "uid": f"{name}-{next(self._versions)}",
                    "generation": 1,
                    "creationTimestamp": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                },
            },
        )
        if "spec" in parts and raw.get("spec") != parts["spec"] and not fresh:
            raw["metadata"]["generation"] += 1
        raw |= {part: value for part, value in parts.items() if part != "meta"}
        meta: Any = parts.get("meta", {})
        raw["metadata"] = {**raw["metadata"], **meta, "resourceVersion": str(next(self._versions))}
        self.store.put(kind, msgspec.json.decode(msgspec.json.encode(raw)))
        return raw

    def delete(self, kind: Kind, name: str) -> None:
        """The object is gone, and the watch says so."""
        self.objects.pop(Key(kind, name), None)
        self.store.drop(kind, name)

    def node(self, name: str, **parts: object) -> None:
        """A Kubernetes Node that is Ready."""
        ready = [{"type": "Ready", "status": "True"}]
        self.put(Kind.NODE, name, **{"status": {"conditions": ready}, **parts})

    def agent(self, name: str, addresses: dict[str, str], **status: object) -> None:
        """What the agent on ``name`` reports: interface → address with length, all healthy."""
        interfaces = [
            {"name": i, "addresses": [a], "mac": "52:54:00:00:00:01", "healthy": True, "reason": "Healthy"}
            for i, a in addresses.items()
        ]
        reported = {"node": name, "interfaces": interfaces, **status}
        there = self.objects.get(Key(Kind.AGENT, name), {})
        self.put(Kind.AGENT, name, status=reported, spec=there.get("spec", {}))

    def holds(
        self,
        node: str,
        vip: str,
        interface: str,
        term: int,
        reason: str = "TopOfList",
        role: str = "Holder",
        conflict: str = "",
    ) -> None:
        """The agent on ``node`` also reports this about ``vip``, with the addresses it was told; those of the object
        when it was told none."""
        raw = self.objects[Key(Kind.AGENT, node)]
        others = [v for v in raw["status"].get("vips", []) if v["name"] != vip]
        since = (self.now + timedelta(seconds=term)).strftime("%Y-%m-%dT%H:%M:%SZ")
        told = [a["addresses"] for a in raw.get("spec", {}).get("assignments", []) if a["name"] == vip]
        wanted = self.objects.get(Key(Kind.VIP, vip), {}).get("spec", {}).get("addresses", [])
        mine = {
            "name": vip,
            "addresses": told[0] if told else wanted,
            "role": role,
            "interface": interface,
            "reason": reason,
            "since": since,
            "term": term,
            "conflict": conflict,
        }
        self.put(Kind.AGENT, node, status={**raw["status"], "vips": [*others, mine]})

    def drain(self, node: str) -> None:
        """Somebody drains it (``kubectl vipa drain``)."""
        self.node(node, meta={"annotations": {DRAIN_ANNOTATION: "true"}})

    def hears(self, by: str, node: str, state: str = "Up") -> None:
        """The agent on ``by`` also reports its path to ``node``."""
        status = self.objects[Key(Kind.AGENT, by)]["status"]
        others = [p for p in status.get("peers", []) if p["node"] != node]
        peer = {"node": node, "paths": [{"interface": "eth1", "state": state}]}
        self.put(Kind.AGENT, by, status={**status, "peers": [*others, peer]})

    def hands_over(self, before: str, after: str) -> None:
        """Agents report that erp went from one node to the other by hand-over, in its second term."""
        self.holds(before, "erp", "eth1", 1, "HandedOver", role="Spare")
        self.holds(after, "erp", "eth1", 2, "HandedOver")

    # --- the operator

    def restart(self) -> None:
        """Another operator, which knows nothing but what the API server has."""
        self.store, self.reconciler = Store(), Reconciler()
        for key, raw in self.objects.items():
            self.store.put(key.kind, raw)

    def step(self) -> Writes:
        """One reconciliation of what changed, written."""
        writes = self.reconciler.reconcile(self.store.cluster, self.store.take_changes(), self.now)
        self.written.append(writes)
        self.carry_out(writes)
        return writes

    def sync(self, most: int = 6) -> None:
        """Until nothing is left to write. A fresh operator must then be content too."""
        for _ in range(most):
            if not self.step() and not self.store.changed:
                break
        else:
            raise AssertionError("the operator never came to rest")
        fresh = Store()
        for key, raw in self.objects.items():
            fresh.put(key.kind, raw)
        left = reconcile(fresh.cluster, self.now)
        assert (left.specs, left.deletions, left.statuses, left.annotations) == ([], [], [], []), left

    def carry_out(self, writes: Writes) -> None:
        """As the API server would."""
        for spec in writes.specs:
            there = self.objects.get(Key(Kind.AGENT, spec.node), {}).get("metadata", {})
            annotations = {k: v for k, v in there.get("annotations", {}).items() if k != GONE}
            meta = {"annotations": annotations | ({GONE: spec.gone} if spec.gone else {}), "ownerReferences": []}
            self.put(Kind.AGENT, spec.node, spec=msgspec.to_builtins(spec.spec), meta=meta)
            self.events += spec.events
        for deletion in writes.deletions:
            meta = self.objects[Key(Kind.AGENT, deletion.node)]["metadata"]
            assert (meta["uid"], meta["resourceVersion"]) == (deletion.uid, deletion.version)
            self.delete(Kind.AGENT, deletion.node)
            self.events += deletion.events
        for status in writes.statuses:
            self.put(Kind.VIP, status.vip, status=spelled(status.status))
            self.events += status.events
        for annotation in writes.annotations:
            meta = self.objects[Key(Kind.VIP, annotation.vip)]["metadata"]
            left = {k: v for k, v in meta.get("annotations", {}).items() if k != MOVE_TO}
            self.put(Kind.VIP, annotation.vip, meta={"annotations": left})
            self.events += annotation.events
        self.events += writes.events

    # --- reading

    def status(self, vip: str) -> Raw:
        """Status of a VIP."""
        status: Raw = self.objects[Key(Kind.VIP, vip)]["status"]
        return status

    def condition(self, vip: str, kind: str) -> tuple[str, str]:
        """(status, reason) of a condition."""
        return next((c["status"], c["reason"]) for c in self.status(vip)["conditions"] if c["type"] == kind)

    def order(self, vip: str) -> list[str]:
        """node/interface of the succession as status has it."""
        return [f"{c['node']}/{c['interface']}" for c in self.status(vip).get("succession", [])]

    def told(self, node: str) -> dict[str, list[str]]:
        """What a node is told: VIP → nodes in order."""
        spec = self.objects[Key(Kind.AGENT, node)].get("spec", {})
        return {a["name"]: [e["node"] for e in a["succession"]] for a in spec.get("assignments", [])}

    def failback(self, node: str, vip: str = "erp") -> str:
        """By which policy a node is to serve a VIP; "" for the default one."""
        assignments = self.objects[Key(Kind.AGENT, node)]["spec"]["assignments"]
        return next(str(a.get("failback", {}).get("policy", "")) for a in assignments if a["name"] == vip)

    def epoch(self, node: str) -> int:
        """Epoch of what a node is told."""
        return int(self.objects[Key(Kind.AGENT, node)].get("spec", {}).get("epoch", 0))


LIST = {"interfaces": [{"address": "10.1.1.4"}, {"address": "10.1.1.5"}], "fallback": "Any"}


def three_nodes() -> FakeCluster:
    """Three nodes on one LAN, the list prefers w1, then w2; erp served by w1."""
    cluster = FakeCluster()
    for i, name in enumerate(("w1", "w2", "w3")):
        cluster.node(name)
        cluster.agent(name, {"eth1": f"10.1.1.{4 + i}/24"})
    cluster.put(Kind.LIST, "office", spec=LIST)
    cluster.put(Kind.VIP, "erp", spec={"addresses": ["10.1.1.7"], "preferredInterfaceList": "office"})
    cluster.sync()
    cluster.holds("w1", "erp", "eth1", 1)
    cluster.sync()
    return cluster
