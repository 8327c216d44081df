"""Annotation vipa.dev/move-to: the target first until it holds, then not straight back."""

from datetime import timedelta

import pytest

from unit.fakes.apiserver import LIST, FakeCluster, three_nodes
from vipa_operator.reconcile import Key, Kind
from vipa_operator.reconcile.reading import MOVE_TO


@pytest.fixture
def three() -> FakeCluster:
    return three_nodes()


def ask(cluster: FakeCluster, to: str) -> None:
    cluster.put(Kind.VIP, "erp", meta={"annotations": {MOVE_TO: to, "mine": "stays"}})
    cluster.sync()


def test_a_move_puts_the_target_first_until_it_holds_and_is_not_undone(three: FakeCluster) -> None:
    ask(three, "w3")
    assert three.told("w1") == {"erp": ["w3", "w1", "w2"]}
    assert three.failback("w1") == "Immediate"
    assert three.objects[Key(Kind.VIP, "erp")]["metadata"]["annotations"] == {MOVE_TO: "w3", "mine": "stays"}
    three.holds("w1", "erp", "eth1", 1, "HandedOver", role="Spare")
    three.holds("w3", "erp", "eth1", 2, "HandedOver")
    three.sync()
    assert three.objects[Key(Kind.VIP, "erp")]["metadata"]["annotations"] == {"mine": "stays"}
    assert three.told("w1") == {"erp": ["w3", "w1", "w2"]}  # so failback, whatever its policy, has nothing to do
    assert three.failback("w1") == ""


def test_a_move_is_forgotten_when_its_target_fails_or_the_list_changes(three: FakeCluster) -> None:
    ask(three, "w3/eth1")
    three.holds("w3", "erp", "eth1", 2, "HandedOver")
    three.sync()
    three.put(Kind.LIST, "office", spec={**LIST, "fallback": "Any", "interfaces": [{"address": "10.1.1.5"}]})
    three.sync()
    assert three.told("w1")["erp"][0] == "w2"
    ask(three, "w3")
    three.sync()
    assert three.told("w1")["erp"][0] == "w3"
    three.holds("w2", "erp", "eth1", 9, "HolderSilent")
    three.sync()
    assert three.told("w1")["erp"][0] == "w2"


def test_a_move_to_nowhere_is_refused_with_an_event(three: FakeCluster) -> None:
    ask(three, "w9")
    assert MOVE_TO not in three.objects[Key(Kind.VIP, "erp")]["metadata"]["annotations"]
    assert three.events[-1].reason == "MoveRefused"
    assert "w1, w2, w3" in three.events[-1].message
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}


def test_a_move_that_is_not_taken_times_out(three: FakeCluster) -> None:
    three.put(Kind.VIP, "erp", meta={"annotations": {MOVE_TO: "w2"}})
    writes = three.step()
    assert 50 < writes.due_in_s[Key(Kind.VIP, "erp")] <= 60
    three.sync()
    three.now += timedelta(seconds=61)
    three.store.touch(Key(Kind.VIP, "erp"))
    three.sync()
    assert three.events[-1].reason == "MoveTimedOut"
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}
    assert MOVE_TO not in three.objects[Key(Kind.VIP, "erp")]["metadata"]["annotations"]


@pytest.mark.parametrize("how", ["off the list", "node deleted", "object deleted"])
def test_a_move_whose_target_goes_is_refused_with_an_event(three: FakeCluster, how: str) -> None:
    three.put(Kind.VIP, "erp", meta={"annotations": {MOVE_TO: "w2"}})
    three.step()
    assert three.told("w1") == {"erp": ["w2", "w1", "w3"]}
    if how == "off the list":
        three.put(Kind.LIST, "office", spec={"interfaces": [{"address": "10.1.1.4"}], "fallback": "None"})
    else:
        three.delete(Kind.AGENT, "w2")
        if how == "node deleted":
            three.delete(Kind.NODE, "w2")
    three.sync()
    if how == "object deleted":  # it is made anew in a moment: the request waits for its agent
        assert three.told("w1") == {"erp": ["w2", "w1", "w3"]}
        return
    assert MOVE_TO not in three.objects[Key(Kind.VIP, "erp")]["metadata"]["annotations"]
    said = [e for e in three.events if e.reason == "MoveRefused"]
    assert [e.severity for e in said] == ["Warning"]
    assert "w2" in said[0].message
    assert three.told("w1")["erp"][0] == "w1"


def test_a_move_of_what_is_not_planned_is_refused_with_an_event(three: FakeCluster) -> None:
    three.put(Kind.VIP, "new", spec={"addresses": ["10.1.1.7"]}, meta={"creationTimestamp": "2027-01-01T00:00:00Z"})
    three.sync()
    three.put(Kind.VIP, "new", meta={"annotations": {MOVE_TO: "w2"}})
    three.sync()
    assert MOVE_TO not in three.objects[Key(Kind.VIP, "new")]["metadata"]["annotations"]
    said = [e for e in three.events if e.reason == "MoveRefused"]
    assert [(e.name, e.severity) for e in said] == [("new", "Warning")]
    assert "not moved to w2" in said[0].message


def test_a_request_taken_back_is_dropped_without_a_word(three: FakeCluster) -> None:
    three.put(Kind.VIP, "erp", meta={"annotations": {MOVE_TO: "w2"}})
    three.step()
    three.put(Kind.VIP, "erp", meta={"annotations": {}})
    three.sync()
    assert three.told("w1")["erp"][0] == "w1"
    assert [e for e in three.events if e.reason == "MoveRefused"] == []
