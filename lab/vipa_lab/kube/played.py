"""A cluster of three nodes whose agents are played: what they would report is written by :func:`report`."""

import time
from collections.abc import Callable
from typing import Any, Final

from vipa_lab.kube.accounts import add_node
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import Object, Objects
from vipa_lab.kube.operatorprocess import report
from vipa_lab.until import until as wait_until

# Promised is 2 s; a busy machine may take its time.
SOON_S: Final = 60.0
NODES: Final = {"w1": "10.1.1.4", "w2": "10.1.1.5", "w3": "10.1.1.6"}
KINDS: Final = ("virtualips", "virtualipnodes", "preferredinterfacelists", "nodes")
"""What an operator could write to."""

_POLL_S: Final = 0.05
# The operator collects changes for 50 ms, and agents are not there to answer.
_QUIET_S: Final = 1.5
_LOOK_S: Final = 0.25


def manifest(kind: str, name: str, spec: dict[str, Any]) -> Object:
    """An object of vipa's."""
    return {"apiVersion": "vipa.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def populate(api: ApiServer) -> None:
    """Three nodes whose agents report, a list, and the VIP erp that w1 serves. An operator must run."""
    objects = api.objects
    for name in NODES:
        add_node(api, name)
    for name, address in NODES.items():
        objects.wait("virtualipnodes", name, lambda _: True, SOON_S)
        report(objects, name, address)
    entries = [{"address": NODES["w1"]}, {"address": NODES["w2"]}]
    objects.apply(manifest("PreferredInterfaceList", "office", {"interfaces": entries}))
    objects.apply(manifest("VirtualIP", "erp", {"addresses": ["10.1.1.7"], "preferredInterfaceList": "office"}))
    objects.wait("virtualipnodes", "w1", lambda a: order(a) == ["w1", "w2", "w3"], SOON_S)
    report(objects, "w1", NODES["w1"], {"erp": ("Holder", 1)})
    objects.wait("virtualips", "erp", lambda v: condition(v, "Ready")[0] == "True", SOON_S)


def obey(objects: Objects, node: str) -> None:
    """The agent on ``node`` reports that it goes by what it is told now."""
    epoch = objects.get("virtualipnodes", node)["spec"]["epoch"]
    objects.patch("virtualipnodes", node, {"status": {"epoch": epoch}}, "status")


def order(agent: Object, vip: str = "erp") -> list[str]:
    """The nodes of a VIP's succession as a VirtualIPNode has it; [] when it has none."""
    return [e["node"] for a in agent["spec"].get("assignments", []) if a["name"] == vip for e in a["succession"]]


def condition(vip: Object, kind: str) -> tuple[str, str]:
    """Status and reason of a VIP's condition; empty before it is set."""
    found = [(c["status"], c["reason"]) for c in vip.get("status", {}).get("conditions", []) if c["type"] == kind]
    return found[0] if found else ("", "")


def holder(vip: Object) -> str:
    """The node that holds a VIP by its status; "" for none."""
    return str((vip.get("status", {}).get("holder") or {}).get("node", ""))


def versions(objects: Objects) -> dict[tuple[str, str], str]:
    """The resourceVersion of each object an operator could write to."""
    return {(k, o["metadata"]["name"]): o["metadata"]["resourceVersion"] for k in KINDS for o in objects.list(k)}


def settle(objects: Objects) -> dict[tuple[str, str], str]:
    """The versions of all objects once nobody has written any for a while; AssertionError when that does not come."""
    deadline = time.monotonic() + SOON_S
    seen, since_s = versions(objects), time.monotonic()
    while time.monotonic() - since_s < _QUIET_S:
        assert time.monotonic() < deadline, f"something is written all the time, within {SOON_S:g} s"
        time.sleep(_LOOK_S)
        now = versions(objects)
        if now != seen:
            seen, since_s = now, time.monotonic()
    return seen


def until(condition: Callable[[], bool], what: str, timeout_s: float = SOON_S) -> None:
    """AssertionError that names ``what`` when it does not come."""
    wait_until(condition, what, timeout_s, _POLL_S)
