"""The operator on a real API server. Agents are played: what they report is written as they would write it."""

import json
import time
from typing import Any, Final

import pytest

from vipa_lab.kube.accounts import set_node_condition
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.kube.objects import Object, Objects
from vipa_lab.kube.operatorprocess import OperatorProcess, report
from vipa_lab.kube.played import (
    KINDS,
    NODES,
    SOON_S,
    condition,
    holder,
    manifest,
    order,
    settle,
    until,
    versions,
)
from vipa_operator.writer import not_taken

IDLE_S: Final = 5.0


def test_from_apply_to_a_plan_and_a_status(operator: OperatorProcess, objects: Objects, kubectl: Kubectl) -> None:
    objects.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
    objects.wait("virtualips", "web", lambda v: condition(v, "Accepted") == ("True", "Accepted"), SOON_S)
    for name in NODES:
        objects.wait("virtualipnodes", name, lambda a: len(order(a, "web")) == 3, SOON_S)
        assert "ownerReferences" not in objects.get("virtualipnodes", name)["metadata"]
    table = kubectl.run("get", "vip", "erp")
    assert "w1/eth1" in table


def test_it_leaves_nothing_on_objects_and_writes_nothing_while_idle(
    operator: OperatorProcess, objects: Objects
) -> None:
    def idle() -> bool:
        before, writes = versions(objects), operator.metric("vipa_api_writes_total")
        time.sleep(IDLE_S)
        return versions(objects) == before and operator.metric("vipa_api_writes_total") == writes

    until(idle, f"nothing is written for {IDLE_S:g} s")
    for kind in KINDS:
        for each in objects.list(kind):
            assert "finalizers" not in each["metadata"]
            assert not [a for a in each["metadata"].get("annotations", {}) if "kopf" in a]
    operator.kill()
    objects.delete("virtualips", "erp")
    assert objects.find("virtualips", "erp") is None


def test_cordon_moves_nothing_and_drain_hands_over_before_it_leaves(
    operator: OperatorProcess, api: ApiServer, objects: Objects
) -> None:
    before = settle(objects)
    objects.patch("nodes", "w1", {"spec": {"unschedulable": True}})
    set_node_condition(api, "w1", "Ready", "Unknown")
    time.sleep(2.0)
    agents = {key: version for key, version in versions(objects).items() if key[0] == "virtualipnodes"}
    assert agents.items() <= before.items()
    objects.patch("nodes", "w1", {"metadata": {"annotations": {"vipa.dev/drain": "true"}}})
    objects.wait("virtualipnodes", "w2", lambda a: order(a) == ["w2", "w3", "w1"], SOON_S)
    report(objects, "w2", NODES["w2"], {"erp": ("Holder", 2)})
    report(objects, "w1", NODES["w1"], {"erp": ("Spare", 1)})
    objects.wait("virtualipnodes", "w1", lambda a: order(a) == [], SOON_S)
    objects.wait("virtualipnodes", "w2", lambda a: order(a) == ["w2", "w3"], SOON_S)
    moved = objects.wait("virtualips", "erp", lambda v: holder(v) == "w2", SOON_S)
    assert moved["status"]["lastTransitions"][0]["from"] == "w1/eth1"
    objects.patch("nodes", "w1", {"metadata": {"annotations": {"vipa.dev/drain": None}}})
    objects.wait("virtualipnodes", "w1", lambda a: order(a) == ["w1", "w2", "w3"], SOON_S)


def asked_to_move(vip: Object) -> bool:
    return "vipa.dev/move-to" in vip["metadata"].get("annotations", {})


def ask_to_move(objects: Objects, to: str) -> None:
    objects.patch("virtualips", "erp", {"metadata": {"annotations": {"vipa.dev/move-to": to}}})


def test_a_move_is_taken_up_and_the_request_removed(operator: OperatorProcess, objects: Objects) -> None:
    ask_to_move(objects, "w3")
    objects.wait("virtualipnodes", "w1", lambda a: order(a) == ["w3", "w1", "w2"], SOON_S)
    report(objects, "w3", NODES["w3"], {"erp": ("Holder", 2)})
    report(objects, "w1", NODES["w1"], {"erp": ("Spare", 1)})

    def phase(vip: Object) -> str:
        return str((vip.get("status", {}).get("move") or {}).get("phase", ""))

    # Two writes, in no certain order.
    objects.wait("virtualips", "erp", lambda v: not asked_to_move(v) and phase(v) == "Done", SOON_S)
    settle(objects)
    assert order(objects.get("virtualipnodes", "w1")) == ["w3", "w1", "w2"]
    ask_to_move(objects, "nowhere")
    objects.wait("virtualips", "erp", lambda v: not asked_to_move(v), SOON_S)
    until(lambda: any(e["reason"] == "MoveRefused" for e in events(objects, "erp")), "an event that says why not")


def events(objects: Objects, name: str) -> list[dict[str, Any]]:
    return [e for e in objects.list("events", "default") if e["involvedObject"]["name"] == name]


def test_one_address_twice_touches_only_the_newer_and_events_are_counted(
    operator: OperatorProcess, objects: Objects
) -> None:
    time.sleep(1.0)  # creation times have whole seconds
    for _ in range(2):
        objects.apply(manifest("VirtualIP", "twin", {"addresses": ["10.1.1.7"]}))
        twin = objects.wait("virtualips", "twin", lambda v: condition(v, "Accepted")[0] == "False", SOON_S)
        assert condition(twin, "Accepted") == ("False", "AddressInUse")
        assert condition(twin, "Conflict") == ("True", "AddressInUse")
        objects.apply(manifest("VirtualIP", "twin", {"addresses": ["10.1.1.9"]}))
        objects.wait("virtualips", "twin", lambda v: condition(v, "Accepted")[0] == "True", SOON_S)
    assert condition(objects.get("virtualips", "erp"), "Accepted") == ("True", "Accepted")
    until(
        lambda: [e["count"] for e in events(objects, "twin") if e["reason"] == "AddressInUse"] == [2],
        "one Event, counted twice",
    )


@pytest.mark.parametrize("vips", [300, 800, 10_001])
def test_a_share_too_large_is_answered_in_words_that_are_known(api: ApiServer, vips: int) -> None:
    places = [{"address": "10.1.1.4", "node": f"w{i}" + 60 * "x", "interface": "eth1"} for i in range(64)]
    order = places if vips <= 1000 else places[:1]
    assignments = [{"name": f"vip-{i}", "addresses": ["10.1.1.7"], "succession": order} for i in range(vips)]
    meta = {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIPNode", "metadata": {"name": "large"}}
    path = "/apis/vipa.dev/v1alpha1/virtualipnodes/large?fieldManager=vipa-operator&force=true"
    apply = "application/apply-patch+yaml"
    assert api.rest.ask("PATCH", path, meta, apply)[0] == 201
    status, answer = api.rest.ask("PATCH", path, {**meta, "spec": {"epoch": 1, "assignments": assignments}}, apply)
    assert status >= 400
    assert not_taken(status, json.dumps(answer)), (status, str(answer)[:500])
