"""Reconciliation and nodes: cordoned, drained, or without the object that tells them what to serve."""

import pytest

from unit.fakes.apiserver import FakeCluster
from vipa_operator.reconcile import Kind
from vipa_operator.reconcile.exclusion import DRAIN_ANNOTATION, EXCLUDE_LABEL, LOAD_BALANCER_LABEL


@pytest.mark.parametrize(
    "parts",
    [
        {"spec": {"unschedulable": True}},
        {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}},
        {"status": {"conditions": [{"type": "Ready", "status": "False"}]}},
        {"spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]}},
        {"spec": {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]}},
        {"meta": {"labels": {EXCLUDE_LABEL: "false"}}},
    ],
)
def test_what_moves_nothing(three: FakeCluster, parts: dict[str, object]) -> None:
    epoch = three.epoch("w1")
    three.node("w1", **parts)
    three.sync()
    assert three.epoch("w1") == epoch
    assert three.told("w2") == {"erp": ["w1", "w2", "w3"]}


EXCLUDING = [
    {"meta": {"annotations": {DRAIN_ANNOTATION: "true"}}, "spec": {"unschedulable": True}},
    {"meta": {"labels": {EXCLUDE_LABEL: "true"}}},
    {"meta": {"labels": {LOAD_BALANCER_LABEL: ""}}},
    {"meta": {"deletionTimestamp": "2026-11-23T07:00:00Z"}},
    {"spec": {"taints": [{"key": "vipa.dev/drain", "effect": "NoSchedule"}]}},
    {"status": {"conditions": [{"type": "NetworkUnavailable", "status": "True"}]}},
]


@pytest.mark.parametrize("parts", EXCLUDING)
def test_a_drained_holder_hands_over_and_only_then_leaves(three: FakeCluster, parts: dict[str, object]) -> None:
    three.node("w1", **parts)
    three.sync()
    # Last, at once: make before break.
    assert three.told("w1") == three.told("w2") == {"erp": ["w2", "w3", "w1"]}
    assert three.failback("w1") == "Immediate"
    three.hands_over("w1", "w2")
    three.sync()
    assert three.told("w1") == {}
    assert three.told("w2") == {"erp": ["w2", "w3"]}


@pytest.mark.parametrize("parts", EXCLUDING)
def test_a_drained_spare_leaves_at_once(three: FakeCluster, parts: dict[str, object]) -> None:
    three.node("w3", **parts)
    three.sync()
    assert three.told("w3") == {}
    assert three.told("w1") == {"erp": ["w1", "w2"]}


def test_the_only_node_keeps_serving_when_it_is_drained(three: FakeCluster) -> None:
    for name in ("w2", "w3"):
        three.delete(Kind.NODE, name)
        three.delete(Kind.AGENT, name)
    three.sync()
    three.drain("w1")
    three.sync()
    assert three.told("w1") == {"erp": ["w1"]}
    assert three.condition("erp", "Accepted") == ("False", "NoCandidates")
    assert three.condition("erp", "Ready") == ("True", "TopOfList")


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("gone", [("w1",), ("w2",), ("w1", "w2", "w3")])
def test_a_deleted_object_comes_back_without_a_plan_until_its_agent_reports(
    three: FakeCluster, gone: tuple[str, ...], restarted: bool
) -> None:
    before = max(three.epoch(n) for n in ("w1", "w2", "w3"))
    for name in gone:
        three.delete(Kind.AGENT, name)
    if restarted:
        three.restart()
    three.sync()
    for name in ("w1", "w2", "w3"):
        # Epoch 0: nobody has planned. Above that nothing assigned would mean to release everything.
        told = ({}, 0) if name in gone else ({"erp": ["w1", "w2", "w3"]}, before)
        assert (three.told(name), three.epoch(name)) == told
    assert three.order("erp") == ["w1/eth1", "w2/eth1", "w3/eth1"]
    for name in reversed(gone):
        three.agent(name, {"eth1": f"10.1.1.{3 + int(name[1:])}/24"}, epoch=before)
        if name == "w1":
            three.holds("w1", "erp", "eth1", 1)
        three.sync()
        assert three.told(name) == {"erp": ["w1", "w2", "w3"]}
        assert three.epoch(name) > before
    assert three.condition("erp", "Ready") == ("True", "TopOfList")
    assert len(three.status("erp")["lastTransitions"]) == 1


def test_a_node_that_comes_back_to_nothing_is_told_so(three: FakeCluster) -> None:
    three.delete(Kind.AGENT, "w1")
    three.sync()
    three.delete(Kind.VIP, "erp")
    three.sync()
    assert (three.told("w1"), three.epoch("w1")) == ({}, 0)
    three.agent("w1", {"eth1": "10.1.1.4/24"})
    three.sync()
    assert three.told("w1") == {}
    assert three.epoch("w1") > 0


def test_a_drained_holder_without_a_report_stays_last(three: FakeCluster) -> None:
    three.delete(Kind.AGENT, "w1")
    three.drain("w1")
    three.sync()
    assert three.told("w2") == {"erp": ["w2", "w3", "w1"]}
    three.agent("w1", {"eth1": "10.1.1.4/24"})
    three.holds("w1", "erp", "eth1", 1)
    three.sync()
    assert three.told("w1") == {"erp": ["w2", "w3", "w1"]}
    three.hands_over("w1", "w2")
    three.sync()
    assert three.told("w1") == {}
