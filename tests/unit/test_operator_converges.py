"""Whatever changes, in whatever order: the operator comes to rest, a fresh one has nothing to add, and what holds for
every plan holds."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.fakes.apiserver import FakeCluster
from vipa_operator.reconcile import Key, Kind
from vipa_operator.reconcile.exclusion import DRAIN_ANNOTATION
from vipa_operator.reconcile.reading import GONE, MOVE_TO

NODES = ("w1", "w2", "w3")
VIPS = ("a", "b", "c")
# Few values, so that everything collides with everything.
node = st.sampled_from(NODES)
vip = st.sampled_from(VIPS)
host = st.integers(1, 8).map(lambda i: f"10.1.1.{i}")
interface = st.sampled_from(["eth1", "eth2"])
path = st.sampled_from(["Up", "Down"])
Change = tuple[str, Any]

vip_spec = st.fixed_dictionaries(
    {"addresses": st.lists(st.integers(4, 8).map(lambda i: f"10.1.1.{i}"), min_size=1, max_size=1)},
    optional={
        "preferredInterfaceList": st.sampled_from(["l", "m"]),
        "paused": st.booleans(),
        "binding": st.sampled_from(["Holder", "EveryCandidate"]),
        "failback": st.sampled_from([{"policy": "Never"}, {"policy": "Delayed", "delay": "5s"}]),
    },
)
entries = st.one_of(
    host.map(lambda a: {"address": a}),
    st.builds(lambda n, i: {"node": n, "interface": i}, node, interface),
    st.just({"interface": "nothing else"}),
)
changes = st.one_of(
    st.tuples(st.just("vip"), st.tuples(vip, vip_spec)),
    st.tuples(st.just("no vip"), vip),
    st.tuples(st.just("list"), st.tuples(st.sampled_from(["l", "m"]), st.lists(entries, min_size=1, max_size=3))),
    st.tuples(st.just("no list"), st.sampled_from(["l", "m"])),
    st.tuples(st.just("node"), st.tuples(node, st.booleans(), st.booleans())),
    st.tuples(st.just("no node"), node),
    st.tuples(
        st.just("agent"),
        st.tuples(
            node,
            st.none() | st.dictionaries(interface, host, max_size=2),
            st.booleans(),
            st.lists(st.tuples(node, path)),
        ),
    ),
    st.tuples(st.just("no agent"), node),
    st.tuples(st.just("holds"), st.tuples(node, vip, interface, st.integers(0, 5))),
    st.tuples(st.just("move"), st.tuples(vip, st.sampled_from(["w1", "w2/eth1", "w9", ""]))),
    st.tuples(st.just("time"), st.sampled_from([1, 30, 100, 300])),
    st.tuples(st.just("restart"), st.none()),
)


def apply(cluster: FakeCluster, change: Change) -> None:
    match change:
        case ("vip", (name, spec)):
            cluster.put(Kind.VIP, name, spec=spec)
        case ("no vip", name):
            cluster.delete(Kind.VIP, name)
        case ("list", (name, entries)):
            cluster.put(Kind.LIST, name, spec={"interfaces": entries, "fallback": "None"})
        case ("no list", name):
            cluster.delete(Kind.LIST, name)
        case ("node", (name, drained, ready)):
            annotations = {DRAIN_ANNOTATION: "true"} if drained else {}
            conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
            cluster.node(name, meta={"annotations": annotations}, status={"conditions": conditions})
        case ("no node", name):
            cluster.delete(Kind.NODE, name)
        case ("agent", (name, addresses, healthy, heard)):
            if Key(Kind.AGENT, name) in cluster.objects:
                addresses = {"eth1": f"10.1.1.{name[1:]}"} if addresses is None else addresses
                interfaces = [
                    {"name": i, "addresses": [f"{a}/24"], "healthy": healthy, "reason": "LinkDown"}
                    for i, a in addresses.items()
                ]
                peers = [{"node": n, "paths": [{"interface": "eth1", "state": s}]} for n, s in heard if n != name]
                vips = cluster.objects[Key(Kind.AGENT, name)].get("status", {}).get("vips", [])
                told = cluster.epoch(name)
                cluster.agent(name, {}, interfaces=interfaces, peers=peers, vips=vips if heard else [], epoch=told)
        case ("no agent", name):
            cluster.delete(Kind.AGENT, name)
        case ("holds", (name, of, on, term)):
            if "status" in cluster.objects.get(Key(Kind.AGENT, name), {}):
                cluster.holds(name, of, on, term)
        case ("move", (name, to)):
            if Key(Kind.VIP, name) in cluster.objects:
                cluster.put(Kind.VIP, name, meta={"annotations": {MOVE_TO: to} if to else {}})
        case ("time", seconds):
            cluster.now += timedelta(seconds=seconds)
            cluster.store.touch_all()
        case ("restart", _):
            cluster.restart()


def judge(cluster: FakeCluster, epochs: dict[str, int]) -> None:
    for key, raw in cluster.objects.items():
        if key.kind is not Kind.AGENT:
            continue
        uid = raw["metadata"]["uid"]
        gone = raw["metadata"].get("annotations", {}).get(GONE, "")
        assert bool(gone) != (Key(Kind.NODE, key.name) in cluster.objects)
        assert cluster.epoch(key.name) >= epochs.get(uid, 0)
        epochs[uid] = cluster.epoch(key.name)
        taken: list[str] = []
        for assignment in raw.get("spec", {}).get("assignments", ()):
            taken += assignment["addresses"]
            order = [(e["node"], e["interface"]) for e in assignment["succession"]]
            assert len(order) == len(set(order)) > 0
            assert key.name in {n for n, _ in order}
            assert {n for n, _ in order} <= {k.name for k in cluster.objects if k.kind in (Kind.NODE, Kind.AGENT)}
        assert len(taken) == len(set(taken))
    for name in VIPS:
        if Key(Kind.VIP, name) in cluster.objects:
            status = cluster.status(name)
            assert {c["type"] for c in status["conditions"]} == {"Accepted", "Conflict", "Ready", "Redundant"}
            assert all(c["reason"] for c in (*status["conditions"], *status.get("succession", ())))
            generation = cluster.objects[Key(Kind.VIP, name)]["metadata"]["generation"]
            assert {c["observedGeneration"] for c in status["conditions"]} == {generation}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.lists(changes, min_size=1, max_size=4), max_size=8))
def test_the_operator_comes_to_rest_and_a_fresh_one_agrees(steps: list[list[Change]]) -> None:
    cluster = FakeCluster()
    for name in NODES:
        cluster.node(name)
    cluster.sync()
    for i, name in enumerate(NODES, 1):
        cluster.agent(name, {"eth1": f"10.1.1.{i}/24"})
    cluster.put(Kind.VIP, "a", spec={"addresses": ["10.1.1.8"]})
    cluster.sync()
    epochs: dict[str, int] = {}
    for step in steps:
        for change in step:
            apply(cluster, change)
        cluster.sync()
        judge(cluster, epochs)
