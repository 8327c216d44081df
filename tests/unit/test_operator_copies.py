"""``binding: EveryCandidate`` in what the operator tells nodes and routers: next hops are all that have the address."""

from typing import Any

from unit.fakes.apiserver import FakeCluster
from vipa_operator.reconcile import Key, Kind

SPEC = {"addresses": ["10.1.1.7"], "preferredInterfaceList": "office", "binding": "EveryCandidate"}


def has(cluster: FakeCluster, node: str, copy: bool = True, failing: tuple[str, ...] = ()) -> None:
    """The agent on ``node`` also reports whether it has the address, and which of its health checks fail."""
    role = "Holder" if node == "w1" else "Excluded" if failing else "Spare"
    cluster.holds(node, "erp", "eth1" if node == "w1" else "", 1 if node == "w1" else 0, "TopOfList", role)
    status = cluster.objects[Key(Kind.AGENT, node)]["status"]
    report: dict[str, Any] = next(v for v in status["vips"] if v["name"] == "erp")
    report |= {"copy": copy, "failing": list(failing)}
    cluster.put(Kind.AGENT, node, status=status)
    cluster.sync()


def hops(cluster: FakeCluster) -> list[str]:
    return list(cluster.status("erp")["nextHops"])


def everywhere(cluster: FakeCluster) -> FakeCluster:
    cluster.put(Kind.VIP, "erp", spec=SPEC)
    cluster.sync()
    for node in ("w1", "w2", "w3"):
        has(cluster, node)
    return cluster


def test_nodes_are_told(three: FakeCluster) -> None:
    assert all("binding" not in a for a in three.objects[Key(Kind.AGENT, "w2")]["spec"]["assignments"])
    three.put(Kind.VIP, "erp", spec=SPEC)
    three.sync()
    assert [a["binding"] for a in three.objects[Key(Kind.AGENT, "w2")]["spec"]["assignments"]] == ["EveryCandidate"]


def test_next_hops_are_all_that_have_it(three: FakeCluster) -> None:
    three.put(Kind.VIP, "erp", spec=SPEC)
    three.sync()
    assert hops(three) == ["10.1.1.4"], "the holder, until another says that it has the address too"
    has(three, "w1")
    has(three, "w3")
    assert hops(three) == ["10.1.1.4", "10.1.1.6"]
    has(three, "w2")
    assert hops(three) == ["10.1.1.4", "10.1.1.5", "10.1.1.6"]


def test_without_a_holder_the_others_still_serve(three: FakeCluster) -> None:
    everywhere(three).holds("w1", "erp", "", 1, "Isolated", role="Spare")
    three.sync()
    assert three.status("erp").get("holder") is None
    assert hops(three) == ["10.1.1.5", "10.1.1.6"]


def test_who_fails_its_health_check_is_no_next_hop(three: FakeCluster) -> None:
    has(everywhere(three), "w2", failing=("tcp 443: refused",))
    assert hops(three) == ["10.1.1.4", "10.1.1.6"]
    for node in ("w1", "w2", "w3"):
        has(three, node, failing=("tcp 443: refused",))
    assert hops(three) == ["10.1.1.4"], "where all fail the holder stays, and nobody else"


def test_an_adapter_that_is_not_well_or_not_heard_is_no_next_hop(three: FakeCluster) -> None:
    everywhere(three)
    for by in ("w1", "w2"):
        three.hears(by, "w3", "Down")
    three.sync()
    assert hops(three) == ["10.1.1.4", "10.1.1.5"]


def test_a_drained_node_is_no_next_hop(three: FakeCluster) -> None:
    everywhere(three).drain("w3")
    three.sync()
    assert hops(three) == ["10.1.1.4", "10.1.1.5"]
    assert three.told("w3") == {}


def test_it_is_kept_over_an_operators_restart_and_while_its_list_is_away(three: FakeCluster) -> None:
    everywhere(three).delete(Kind.LIST, "office")
    three.sync()
    three.restart()
    three.sync()
    assert [a["binding"] for a in three.objects[Key(Kind.AGENT, "w2")]["spec"]["assignments"]] == ["EveryCandidate"]
    assert hops(three) == ["10.1.1.4", "10.1.1.5", "10.1.1.6"]
