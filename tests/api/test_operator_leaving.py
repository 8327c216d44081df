"""A Node is deleted while its agent serves. No garbage collector runs here: it is played, and finds nothing to do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from vipa_lab.kube.accounts import add_node
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import Object, Objects, path_of
from vipa_lab.kube.operatorprocess import OperatorProcess, report
from vipa_lab.kube.played import NODES, SOON_S, condition, holder, obey, order, settle, until
from vipa_lab.kube.wholecluster import CONVERGE_S, WholeCluster
from vipa_lab.lab import Lab
from vipa_operator.election import LEASE_S
from vipa_operator.reconcile.leaving import SILENT_S
from vipa_operator.reconcile.reading import GONE, MANAGER
from vipa_operator.reconcile.times import text

# A new operator first waits until the lease of one that was killed has run out.
AGAIN_S: Final = LEASE_S + SOON_S
Asleep = Callable[[Callable[[], object]], None]
"""Does something while no operator runs, or beside it."""

RESTARTED: Final = pytest.mark.parametrize("restarted", [False, True])


@pytest.fixture
def asleep(operator: OperatorProcess, restarted: bool) -> Asleep:
    def do(what: Callable[[], object]) -> None:
        if restarted:
            operator.kill()
        what()
        if restarted:
            operator.start()

    return do


def collect(objects: Objects) -> list[str]:
    """What a garbage collector does: what all its owners have left goes. Returns the names."""
    there = {node["metadata"]["uid"] for node in objects.list("nodes")}
    owned = {o["metadata"]["name"]: o["metadata"].get("ownerReferences", []) for o in objects.list("virtualipnodes")}
    found = [name for name, owners in owned.items() if owners and not {o["uid"] for o in owners} & there]
    for name in found:
        objects.delete("virtualipnodes", name)
    return found


def mark(node: Object) -> str:
    return str(node["metadata"].get("annotations", {}).get(GONE, ""))


def gone(objects: Objects, name: str) -> Callable[[], bool]:
    return lambda: objects.find("virtualipnodes", name) is None


def wait_said(objects: Objects, name: str, severity: str, words: str) -> None:
    def found() -> bool:
        events: list[dict[str, Any]] = objects.list("events", "default")
        ours = [
            e for e in events if (e["reason"], e["involvedObject"]["name"], e["type"]) == ("NodeGone", name, severity)
        ]
        return any(words in e["message"] for e in ours)

    until(found, f"an Event NodeGone about {name}: {words}")


@RESTARTED
def test_it_hands_over_and_then_its_object_goes(objects: Objects, asleep: Asleep) -> None:
    def deleted() -> None:
        objects.delete("nodes", "w1")
        assert collect(objects) == []

    def handed_over() -> None:
        report(objects, "w2", NODES["w2"], {"erp": ("Holder", 2)})
        report(objects, "w1", NODES["w1"], {"erp": ("Spare", 1)})

    asleep(deleted)
    objects.wait("virtualipnodes", "w2", lambda a: order(a) == ["w2", "w3", "w1"], AGAIN_S)
    told = objects.wait("virtualipnodes", "w1", lambda a: order(a) == ["w2", "w3", "w1"], SOON_S)
    assert mark(told)
    wait_said(objects, "w1", "Normal", "hand over")
    asleep(handed_over)
    objects.wait("virtualipnodes", "w1", lambda a: order(a) == [], AGAIN_S)
    settle(objects)
    assert objects.find("virtualipnodes", "w1") is not None, "its agent has not said that it knows"
    asleep(lambda: obey(objects, "w1"))
    until(gone(objects, "w1"), "the object is gone", AGAIN_S)
    wait_said(objects, "w1", "Normal", "deleted")
    vip = objects.wait("virtualips", "erp", lambda v: holder(v) == "w2", SOON_S)
    assert condition(vip, "Ready")[0] == "True"
    assert order(objects.get("virtualipnodes", "w2")) == ["w2", "w3"]


def test_a_dead_machines_object_goes_after_a_while(operator: OperatorProcess, objects: Objects) -> None:
    objects.delete("nodes", "w3")
    objects.wait("virtualipnodes", "w3", lambda a: order(a) == [] and bool(mark(a)), SOON_S)
    settle(objects)
    operator.kill()
    since = text(datetime.now(UTC) - timedelta(seconds=SILENT_S - 2.0))
    objects.patch("virtualipnodes", "w3", {"metadata": {"annotations": {GONE: since}}})
    operator.start()
    until(gone(objects, "w3"), "the object is gone", AGAIN_S)
    wait_said(objects, "w3", "Warning", "taken for dead")


@RESTARTED
def test_a_node_that_is_back_in_time_goes_on(api: ApiServer, objects: Objects, asleep: Asleep) -> None:
    uid = objects.get("virtualipnodes", "w1")["metadata"]["uid"]
    objects.delete("nodes", "w1")
    objects.wait("virtualipnodes", "w1", lambda a: bool(mark(a)), SOON_S)
    asleep(lambda: add_node(api, "w1"))
    back = objects.wait("virtualipnodes", "w1", lambda a: not mark(a), AGAIN_S)
    assert back["metadata"]["uid"] == uid
    objects.wait("virtualipnodes", "w2", lambda a: order(a) == ["w1", "w2", "w3"], SOON_S)


def test_an_owner_that_an_earlier_version_set_goes(operator: OperatorProcess, objects: Objects) -> None:
    """And one that somebody else set stays: it is theirs, and nothing is written for it."""
    before = {name: objects.get("virtualipnodes", name) for name in NODES}
    operator.kill()
    for name, manager in (("w1", MANAGER), ("w2", "somebody")):
        uid = objects.get("nodes", name)["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
        body = {key: before[name][key] for key in ("apiVersion", "kind", "spec")}
        if manager != MANAGER:
            del body["spec"]
        applied = {**body, "metadata": {"name": name, "ownerReferences": [owner]}}
        path = f"{path_of('virtualipnodes', name=name)}?fieldManager={manager}&force=true"
        status, answer = objects.rest.ask("PATCH", path, applied, "application/apply-patch+yaml")
        assert status == 200, answer
        assert answer["metadata"]["ownerReferences"]
    version = objects.get("virtualipnodes", "w2")["metadata"]["resourceVersion"]
    operator.start()
    freed = objects.wait("virtualipnodes", "w1", lambda a: "ownerReferences" not in a["metadata"], AGAIN_S)
    assert freed["spec"] == before["w1"]["spec"]
    settle(objects)
    assert objects.get("virtualipnodes", "w2")["metadata"]["resourceVersion"] == version
    assert objects.get("virtualipnodes", "w2")["metadata"]["ownerReferences"]


# --- with real agents


def test_with_real_agents_nothing_is_lost(lab: Lab, api: ApiServer, tmp_path: Path) -> None:
    objects = api.objects
    with WholeCluster(lab, api, tmp_path) as cluster:
        cluster.start_whole()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        for away in (False, True):  # the operator
            if away:
                cluster.operator.kill()
            objects.delete("nodes", "w1")
            assert collect(objects) == []
            if away:
                cluster.hold("w1/eth1", 2.0)
                cluster.operator.start()
            cluster.wait_holder("w2/eth1")
            cluster.wait(gone(objects, "w1"), "its VirtualIPNode is gone", CONVERGE_S)
            assert cluster.condition("Ready")["status"] == "True"
            assert cluster.status("w1")["vips"] == []
            cluster.wait_answered(probe)
            add_node(api, "w1")  # its agent runs all the while
            cluster.wait_holder("w1/eth1")
            cluster.wait_answered(probe)
        cluster.check_lossless(probe.stop())
        assert cluster.served() == ["w1/eth1", "w2/eth1", "w1/eth1", "w2/eth1", "w1/eth1"]
