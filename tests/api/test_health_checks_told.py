"""Health checks on their way through the API: to the nodes that ask, and back to the virtual IP's status."""

from typing import Final

import msgspec

from vipa.plan import CheckKind, HealthCheck
from vipa.resources.assigned import vip_of
from vipa.resources.node import Assignment
from vipa_lab.kube.objects import Object, Objects
from vipa_lab.kube.operatorprocess import OperatorProcess, report
from vipa_lab.kube.played import NODES, SOON_S, condition

CHECKS: Final = [
    {"tcp": {"port": 443}},
    {"http": {"port": 80, "path": "/ready"}, "interval": "500ms", "at": "Loopback"},
]
PLANNED: Final = (
    HealthCheck(CheckKind.TCP, 443),
    HealthCheck(CheckKind.HTTP, 80, "/ready", loopback=True, interval_s=0.5),
)


def told(agent: Object) -> tuple[HealthCheck, ...]:
    """What the node is to ask for erp, as its agent reads it."""
    found = [a for a in agent["spec"].get("assignments", []) if a["name"] == "erp"]
    return vip_of(msgspec.convert(found[0], Assignment)).checks if found else ()


def test_nodes_are_told_and_failures_are_shown(operator: OperatorProcess, objects: Objects) -> None:
    objects.patch("virtualips", "erp", {"spec": {"healthChecks": CHECKS}})
    for node in NODES:
        objects.wait("virtualipnodes", node, lambda a: told(a) == PLANNED, SOON_S)
    report(objects, "w1", NODES["w1"], {"erp": ("Holder", 1)})
    status = objects.get("virtualipnodes", "w1")["status"]
    status["vips"][0]["failing"] = ["tcp 443: connection refused"]
    objects.patch("virtualipnodes", "w1", {"status": status}, "status")
    shown = objects.wait("virtualips", "erp", lambda v: condition(v, "Ready")[0] == "False", SOON_S)
    assert condition(shown, "Ready") == ("False", "HealthCheckFailed")
    first = shown["status"]["succession"][0]
    assert (first["node"], first["reason"], first["failing"]) == (
        "w1",
        "HealthCheckFailed",
        ["tcp 443: connection refused"],
    )
    del status["vips"][0]["failing"]
    objects.patch("virtualipnodes", "w1", {"status": {"vips": status["vips"]}}, "status")
    objects.wait("virtualips", "erp", lambda v: condition(v, "Ready")[0] == "True", SOON_S)
