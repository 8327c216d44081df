"""A Node is deleted: its agent hands over what it serves, and only then its VirtualIPNode goes."""

from datetime import timedelta

import pytest

from unit.fakes.apiserver import FakeCluster
from vipa_operator.reconcile import Key, Kind
from vipa_operator.reconcile.exclusion import EXCLUDE_LABEL
from vipa_operator.reconcile.leaving import SILENT_S
from vipa_operator.reconcile.reading import GONE, MANAGER

W1 = Key(Kind.AGENT, "w1")
RESTARTED = pytest.mark.parametrize("restarted", [False, True])


def obeys(cluster: FakeCluster, name: str = "w1") -> None:
    """The agent reports that it goes by what it was told, and what it serves no more is in its report no more."""
    status = cluster.objects[Key(Kind.AGENT, name)]["status"]
    vips = [v for v in status.get("vips", []) if v["name"] in cluster.told(name)]
    cluster.put(Kind.AGENT, name, status={**status, "epoch": cluster.epoch(name), "vips": vips})


def passes(cluster: FakeCluster, seconds: float) -> None:
    """Time, and then what is due is looked at."""
    cluster.now += timedelta(seconds=seconds)
    for key in (W1, Key(Kind.VIP, "erp")):
        cluster.store.touch(key)


def mark(cluster: FakeCluster) -> str:
    return str(cluster.objects[W1]["metadata"].get("annotations", {}).get(GONE, ""))


def said(cluster: FakeCluster) -> list[tuple[str, str]]:
    return [(e.severity, e.message) for e in cluster.events if e.reason == "NodeGone"]


@RESTARTED
def test_its_agent_hands_over_and_then_the_object_goes(three: FakeCluster, restarted: bool) -> None:
    def step() -> None:
        if restarted:
            three.restart()
        three.sync()

    three.delete(Kind.NODE, "w1")
    step()
    # Last, at once: make before break.
    assert three.told("w1") == three.told("w2") == {"erp": ["w2", "w3", "w1"]}
    assert three.failback("w1") == "Immediate"
    assert three.status("erp")["holder"]["node"] == "w1"
    assert mark(three) == "2026-11-23T07:00:00Z"
    three.hands_over("w1", "w2")
    step()
    assert three.told("w1") == {}
    assert three.told("w2") == {"erp": ["w2", "w3"]}
    obeys(three)
    step()
    assert W1 not in three.objects
    assert three.status("erp")["holder"]["node"] == "w2"
    assert [severity for severity, _ in said(three)] == ["Normal", "Normal"]
    assert said(three)[1][1].startswith("deleted: ")


def test_a_spare_goes_once_it_knows_that_it_is_none(three: FakeCluster) -> None:
    """Without its object it would serve on by a plan in which it is one."""
    three.delete(Kind.NODE, "w3")
    three.sync()
    assert three.told("w3") == {}
    assert Key(Kind.AGENT, "w3") in three.objects
    obeys(three, "w3")
    three.sync()
    assert Key(Kind.AGENT, "w3") not in three.objects


@pytest.mark.parametrize("role", ["Holder", "Claiming"])
def test_it_stays_while_its_agent_says_that_it_serves(three: FakeCluster, role: str) -> None:
    three.delete(Kind.NODE, "w3")
    three.sync()
    three.holds("w3", "erp", "eth1", 0, role=role)
    status = three.objects[Key(Kind.AGENT, "w3")]["status"]
    three.put(Kind.AGENT, "w3", status={**status, "epoch": three.epoch("w3")})
    three.sync()
    assert Key(Kind.AGENT, "w3") in three.objects


def test_a_node_that_serves_nothing_goes_at_once(three: FakeCluster) -> None:
    three.node("w1", meta={"labels": {EXCLUDE_LABEL: "true"}})
    three.sync()
    three.hands_over("w1", "w2")
    three.sync()
    obeys(three)
    three.sync()
    assert W1 in three.objects
    three.delete(Kind.NODE, "w1")
    three.sync()
    assert W1 not in three.objects


@RESTARTED
def test_a_dead_machines_object_goes_after_a_while(three: FakeCluster, restarted: bool) -> None:
    three.delete(Kind.NODE, "w1")
    three.sync()
    three.holds("w2", "erp", "eth1", 2, "HolderSilent")
    passes(three, 5)
    three.sync()
    assert three.told("w1") == {}
    passes(three, SILENT_S - 1)
    if restarted:
        three.restart()
    writes = three.step()
    assert writes.due_in_s[W1] == 1
    assert not writes
    passes(three, 1)
    three.sync()
    assert W1 not in three.objects
    assert said(three)[-1][0] == "Warning"
    assert three.status("erp")["holder"]["node"] == "w2"


def test_what_it_is_told_late_gives_it_all_the_time_again(three: FakeCluster) -> None:
    """The operator was away for an hour, and the agent cannot have known."""
    three.delete(Kind.NODE, "w1")
    three.sync()
    three.hands_over("w1", "w2")
    three.now += timedelta(hours=1)
    three.restart()
    three.sync()
    assert three.told("w1") == {}
    assert mark(three) == "2026-11-23T08:00:00Z"
    assert len(said(three)) == 1
    obeys(three)
    three.sync()
    assert W1 not in three.objects


def test_an_agent_that_others_hear_is_not_dead(three: FakeCluster) -> None:
    three.delete(Kind.NODE, "w1")
    three.hears("w2", "w1")
    three.sync()
    passes(three, SILENT_S + 1)
    three.sync()
    assert three.told("w1") == {"erp": ["w2", "w3", "w1"]}
    assert three.status("erp")["holder"]["node"] == "w1"
    three.hears("w2", "w1", "Down")
    three.sync()  # its share becomes empty: it has all the time again
    passes(three, SILENT_S)
    three.sync()
    assert W1 not in three.objects


def test_what_others_hear_is_asked_again_when_it_changes(three: FakeCluster) -> None:
    """Also when the node is in nobody's share any more, so that no virtual IP is looked at."""
    three.delete(Kind.NODE, "w3")
    three.hears("w2", "w3")
    three.sync()
    three.now += timedelta(seconds=SILENT_S)
    three.store.touch(Key(Kind.AGENT, "w3"))
    three.sync()
    assert Key(Kind.AGENT, "w3") in three.objects
    three.agent("w2", {"eth1": "10.1.1.5/24"})
    three.sync()
    assert Key(Kind.AGENT, "w3") not in three.objects


def test_an_object_that_no_agent_ever_reported_to_goes_too(three: FakeCluster) -> None:
    three.node("w9")
    three.sync()
    three.delete(Kind.NODE, "w9")
    three.sync()
    assert (three.told("w9"), three.epoch("w9")) == ({}, 0)
    three.now += timedelta(seconds=SILENT_S)
    three.store.touch_all()
    three.sync()
    assert Key(Kind.AGENT, "w9") not in three.objects


@pytest.mark.parametrize("moved", [False, True])
def test_a_node_that_is_back_in_time_goes_on(three: FakeCluster, moved: bool) -> None:
    uid = three.objects[W1]["metadata"]["uid"]
    three.delete(Kind.NODE, "w1")
    three.sync()
    if moved:
        three.hands_over("w1", "w2")
        three.sync()
        assert three.told("w1") == {}
    three.node("w1")
    three.sync()
    assert three.told("w1") == three.told("w2") == {"erp": ["w1", "w2", "w3"]}
    assert mark(three) == ""
    assert three.objects[W1]["metadata"]["uid"] == uid
    passes(three, SILENT_S + 1)
    three.sync()
    assert W1 in three.objects


def test_a_node_that_is_back_late_begins_anew(three: FakeCluster) -> None:
    three.delete(Kind.NODE, "w3")
    three.sync()
    obeys(three, "w3")
    three.sync()
    three.node("w3")
    three.sync()
    assert (three.told("w3"), three.epoch("w3")) == ({}, 0)
    three.agent("w3", {"eth1": "10.1.1.6/24"})
    three.sync()
    assert three.told("w3") == {"erp": ["w1", "w2", "w3"]}


def test_the_only_node_keeps_serving(three: FakeCluster) -> None:
    for name in ("w2", "w3"):
        three.delete(Kind.NODE, name)
        three.delete(Kind.AGENT, name)
    three.sync()
    three.delete(Kind.NODE, "w1")
    three.sync()
    obeys(three)
    three.sync()
    assert three.told("w1") == {"erp": ["w1"]}
    assert three.condition("erp", "Ready") == ("True", "TopOfList")


def test_a_node_that_nobody_hears_serves_no_more(three: FakeCluster) -> None:
    three.hears("w2", "w1", "Down")
    three.delete(Kind.NODE, "w1")
    three.sync()
    assert three.told("w1") == {}
    assert three.told("w2") == {"erp": ["w2", "w3"]}
    assert "holder" not in three.status("erp")


def test_a_node_whose_object_went_with_it_is_no_candidate(three: FakeCluster) -> None:
    three.delete(Kind.AGENT, "w1")
    three.delete(Kind.NODE, "w1")
    three.sync()
    assert three.told("w2") == {"erp": ["w2", "w3"]}
    assert W1 not in three.objects


OWNER = {"apiVersion": "v1", "kind": "Node", "name": "w1", "uid": "n1"}
APPLIED = {"operation": "Apply", "fieldsV1": {"f:metadata": {"f:ownerReferences": {'k:{"uid":"n1"}': {}}}}}


@RESTARTED
def test_an_owner_that_an_older_version_set_goes(three: FakeCluster, restarted: bool) -> None:
    owned = {"ownerReferences": [OWNER], "managedFields": [{**APPLIED, "manager": MANAGER}]}
    epoch = three.epoch("w1")
    three.put(Kind.AGENT, "w1", meta=owned)
    if restarted:
        three.restart()
    three.sync()
    assert three.objects[W1]["metadata"]["ownerReferences"] == []
    assert three.epoch("w1") == epoch


def test_an_owner_that_somebody_else_set_stays(three: FakeCluster) -> None:
    owned = {"ownerReferences": [OWNER], "managedFields": [{**APPLIED, "manager": "kubectl"}]}
    three.put(Kind.AGENT, "w1", meta=owned)
    assert not three.step()
