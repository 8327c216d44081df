"""Health checks in what the operator tells nodes and people."""

from typing import Any

from unit.fakes.apiserver import FakeCluster
from vipa_cli.cluster.foresee import foresee
from vipa_operator.reconcile import Key, Kind

SPEC = {
    "addresses": ["10.1.1.7"],
    "preferredInterfaceList": "office",
    "healthChecks": [{"tcp": {"port": 443}}, {"http": {"port": 80, "path": "/ready", "scheme": "HTTPS"}, "fall": 1}],
}
FAILS = ["tcp 443: connection refused"]


def fails(cluster: FakeCluster, node: str, *failing: str, role: str = "Excluded") -> None:
    """The agent on ``node`` reports so about erp."""
    term = 1 if role == "Holder" else 0
    cluster.holds(node, "erp", "eth1" if term else "", term, "HealthCheckFailed", role)
    report: dict[str, Any] = next(v for v in cluster.objects[Key(Kind.AGENT, node)]["status"]["vips"])
    report["failing"] = list(failing or FAILS)
    cluster.put(Kind.AGENT, node, status=cluster.objects[Key(Kind.AGENT, node)]["status"])
    cluster.sync()


def checked(cluster: FakeCluster) -> FakeCluster:
    cluster.put(Kind.VIP, "erp", spec=SPEC)
    cluster.sync()
    return cluster


def test_nodes_are_told_what_to_ask(three: FakeCluster) -> None:
    checked(three)
    (assignment,) = three.objects[Key(Kind.AGENT, "w2")]["spec"]["assignments"]
    assert list(assignment["healthChecks"]) == [
        {"kind": "tcp", "port": 443, "interval": "2s", "timeout": "1s"},
        {"kind": "https", "port": 80, "path": "/ready", "interval": "2s", "timeout": "1s", "fall": 1},
    ]


def test_a_failing_spare_is_no_spare(three: FakeCluster) -> None:
    fails(checked(three), "w2")
    status = three.status("erp")
    order = status["succession"]
    assert [(c["node"], c.get("healthy", False), c["reason"], list(c.get("failing", ()))) for c in order] == [
        ("w1", True, "TopOfList", []),
        ("w2", False, "HealthCheckFailed", FAILS),
        ("w3", True, "LowerInList", []),
    ]
    assert status["spares"] == 1
    assert three.condition("erp", "Ready") == ("True", "TopOfList")
    fails(three, "w3")
    assert three.condition("erp", "Redundant") == ("False", "NoHealthyEndpoint")


def test_a_failing_holder_is_not_ready_though_it_serves(three: FakeCluster) -> None:
    fails(checked(three), "w1", role="Holder")
    assert three.condition("erp", "Ready") == ("False", "HealthCheckFailed")
    message = next(c["message"] for c in three.status("erp")["conditions"] if c["type"] == "Ready")
    assert "w1/eth1 serves" in message
    assert "tcp 443: connection refused" in message
    assert "it is to hand over" in message
    assert list(three.status("erp")["nextHops"]) == ["10.1.1.4"]
    for node in ("w2", "w3"):
        fails(three, node)
    message = next(c["message"] for c in three.status("erp")["conditions"] if c["type"] == "Ready")
    assert "no other candidate passes, so it stays" in message
    assert [n.successor for n in foresee(three.objects[Key(Kind.VIP, "erp")])][1] == "w2/eth1"


def test_a_move_because_of_a_check_is_told_as_one_without_a_gap(three: FakeCluster) -> None:
    fails(checked(three), "w1")
    three.holds("w2", "erp", "eth1", 2, "HealthCheckFailed")
    three.sync()
    newest = three.status("erp")["lastTransitions"][0]
    assert (newest["to"], newest["reason"], newest["gapEstimate"]) == ("w2/eth1", "HealthCheckFailed", "0ms")
    assert three.condition("erp", "Ready") == ("True", "HealthCheckFailed")
    assert three.status("erp")["succession"][0]["reason"] == "HealthCheckFailed"


def test_where_the_guest_is_not_the_agents_say_why_nobody_serves(three: FakeCluster) -> None:
    behind = {"type": "VirtualEthernet", "bridge": "br0"}
    three.put(Kind.VIP, "erp", spec={**SPEC, "healthChecks": [], "attachment": behind})
    three.sync()
    (assignment,) = three.objects[Key(Kind.AGENT, "w2")]["spec"]["assignments"]
    assert assignment["bridge"] == "br0"
    silent = "10.1.1.7 does not answer behind br0"
    for node, reason in (("w1", "GuestSilent"), ("w2", "BridgeMissing"), ("w3", "GuestSilent")):
        three.holds(node, "erp", "", 0, reason, "Excluded")
        three.objects[Key(Kind.AGENT, node)]["status"]["vips"][0]["failing"] = [silent]
        three.put(Kind.AGENT, node, status=three.objects[Key(Kind.AGENT, node)]["status"])
    three.sync()
    order = three.status("erp")["succession"]
    assert [(c.get("healthy", False), c["reason"]) for c in order] == [
        (False, "GuestSilent"),
        (False, "BridgeMissing"),
        (False, "GuestSilent"),
    ]
    assert three.condition("erp", "Ready") == ("False", "GuestSilent")
    message = next(c["message"] for c in three.status("erp")["conditions"] if c["type"] == "Ready")
    assert "w2: 10.1.1.7 does not answer behind br0" in message
