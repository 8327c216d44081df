"""The operator on a real API server. Agents are played: what they report is written as they would write it."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from vipa_lab.kube.accounts import add_node, set_node_condition
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Kubectl, KubectlError
from vipa_lab.kube.operatorprocess import OperatorProcess, report
from vipa_operator.election import LEASE_S
from vipa_operator.writer import not_taken

# Promised is 2 s; a busy machine may take its time.
SOON_S: Final = 60.0
NODES: Final = {"w1": "10.1.1.4", "w2": "10.1.1.5", "w3": "10.1.1.6"}
KINDS: Final = ("virtualips", "virtualipnodes", "preferredinterfacelists", "nodes")


def manifest(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "vipa.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})


def order(agent: dict[str, Any], vip: str = "erp") -> list[str]:
    return [e["node"] for a in agent["spec"].get("assignments", []) if a["name"] == vip for e in a["succession"]]


def condition(vip: dict[str, Any], kind: str) -> tuple[str, str]:
    found = [(c["status"], c["reason"]) for c in vip.get("status", {}).get("conditions", []) if c["type"] == kind]
    return found[0] if found else ("", "")


def until(condition: Callable[[], bool], what: str, timeout_s: float = SOON_S) -> float:
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout_s, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - start


def versions(kubectl: Kubectl) -> dict[tuple[str, str], str]:
    return {(k, o["metadata"]["name"]): o["metadata"]["resourceVersion"] for k in KINDS for o in kubectl.list(k)}


def settle(kubectl: Kubectl) -> dict[tuple[str, str], str]:
    """The versions of all objects once nobody has written any for a second."""
    seen = versions(kubectl)
    while True:
        time.sleep(1.0)
        now = versions(kubectl)
        if now == seen:
            return now
        seen = now


def populate(kubectl: Kubectl) -> None:
    """Three nodes whose agents report, a list, and a VIP that w1 serves."""
    for name, address in NODES.items():
        add_node(kubectl, name)
        kubectl.wait("virtualipnodes", name, lambda _: True, SOON_S)
        report(kubectl, name, address)
    entries = [{"address": NODES["w1"]}, {"address": NODES["w2"]}]
    kubectl.apply(manifest("PreferredInterfaceList", "office", {"interfaces": entries}))
    kubectl.apply(manifest("VirtualIP", "erp", {"addresses": ["10.1.1.7"], "preferredInterfaceList": "office"}))
    kubectl.wait("virtualipnodes", "w1", lambda a: order(a) == ["w1", "w2", "w3"], SOON_S)
    report(kubectl, "w1", NODES["w1"], {"erp": ("Holder", 1)})
    kubectl.wait("virtualips", "erp", lambda v: condition(v, "Ready")[0] == "True", SOON_S)


@pytest.fixture
def operator(api: ApiServer, tmp_path: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(api.admin, tmp_path) as made:
        yield made


def test_from_apply_to_a_plan_and_a_status(operator: OperatorProcess, kubectl: Kubectl) -> None:
    populate(kubectl)
    kubectl.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
    kubectl.wait("virtualips", "web", lambda v: condition(v, "Accepted") == ("True", "Accepted"), SOON_S)
    for name in NODES:
        kubectl.wait("virtualipnodes", name, lambda a: len(order(a, "web")) == 3, SOON_S)
    owner = kubectl.get("virtualipnodes", "w1")["metadata"]["ownerReferences"]
    assert [(o["kind"], o["name"]) for o in owner] == [("Node", "w1")]
    table = kubectl.run("get", "vip", "erp")
    assert "w1/eth1" in table


def test_it_leaves_nothing_on_objects_and_writes_nothing_while_idle(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    populate(kubectl)
    before = settle(kubectl)
    writes = operator.metric("vipa_api_writes_total")
    time.sleep(5.0)
    assert versions(kubectl) == before
    assert operator.metric("vipa_api_writes_total") == writes
    for kind in KINDS:
        for each in kubectl.list(kind):
            assert "finalizers" not in each["metadata"]
            assert not [a for a in each["metadata"].get("annotations", {}) if "kopf" in a]
    operator.kill()
    kubectl.delete("virtualips", "erp")
    assert kubectl.find("virtualips", "erp") is None


def test_killed_and_started_again_it_writes_nothing_and_epochs_go_on(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    populate(kubectl)
    before = settle(kubectl)
    epoch = kubectl.get("virtualipnodes", "w1")["spec"]["epoch"]
    operator.kill()
    operator.start()
    until(operator.leads, "the operator leads again", LEASE_S + SOON_S)
    until(lambda: operator.metric('vipa_vips{state="Ready"}') == 1, "it has looked at everything")
    time.sleep(1.0)
    assert versions(kubectl) == before
    kubectl.patch("virtualips", "erp", {"spec": {"paused": True}})
    changed = kubectl.wait("virtualipnodes", "w1", lambda a: a["spec"]["epoch"] > epoch, SOON_S)
    assert changed["spec"]["assignments"][0]["paused"] is True


def test_what_changed_while_it_was_away_is_caught_up_with(operator: OperatorProcess, kubectl: Kubectl) -> None:
    populate(kubectl)
    operator.kill()
    kubectl.delete("virtualips", "erp")
    kubectl.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
    operator.start()
    kubectl.wait("virtualipnodes", "w1", lambda a: not order(a) and len(order(a, "web")) == 3, LEASE_S + SOON_S)


def test_cordon_moves_nothing_and_drain_hands_over_before_it_leaves(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    populate(kubectl)
    before = settle(kubectl)
    kubectl.patch("node", "w1", {"spec": {"unschedulable": True}})
    set_node_condition(kubectl, "w1", "Ready", "Unknown")
    time.sleep(2.0)
    agents = {key: version for key, version in versions(kubectl).items() if key[0] == "virtualipnodes"}
    assert agents.items() <= before.items()
    kubectl.patch("node", "w1", {"metadata": {"annotations": {"vipa.dev/drain": "true"}}})
    kubectl.wait("virtualipnodes", "w2", lambda a: order(a) == ["w2", "w3", "w1"], SOON_S)
    report(kubectl, "w2", NODES["w2"], {"erp": ("Holder", 2)})
    report(kubectl, "w1", NODES["w1"], {"erp": ("Spare", 1)})
    kubectl.wait("virtualipnodes", "w1", lambda a: order(a) == [], SOON_S)
    kubectl.wait("virtualipnodes", "w2", lambda a: order(a) == ["w2", "w3"], SOON_S)
    moved = kubectl.wait("virtualips", "erp", lambda v: v["status"]["holder"]["node"] == "w2", SOON_S)
    assert moved["status"]["lastTransitions"][0]["from"] == "w1/eth1"
    kubectl.patch("node", "w1", {"metadata": {"annotations": {"vipa.dev/drain": None}}})
    kubectl.wait("virtualipnodes", "w1", lambda a: order(a) == ["w1", "w2", "w3"], SOON_S)


def test_a_move_is_taken_up_and_the_request_removed(operator: OperatorProcess, kubectl: Kubectl) -> None:
    populate(kubectl)
    kubectl.patch("virtualips", "erp", {"metadata": {"annotations": {"vipa.dev/move-to": "w3"}}})
    kubectl.wait("virtualipnodes", "w1", lambda a: order(a) == ["w3", "w1", "w2"], SOON_S)
    report(kubectl, "w3", NODES["w3"], {"erp": ("Holder", 2)})
    report(kubectl, "w1", NODES["w1"], {"erp": ("Spare", 1)})
    done = kubectl.wait(
        "virtualips",
        "erp",
        lambda v: "vipa.dev/move-to" not in json.dumps(v["metadata"].get("annotations", {})),
        SOON_S,
    )
    assert done["status"]["move"]["phase"] == "Done"
    settle(kubectl)
    assert order(kubectl.get("virtualipnodes", "w1")) == ["w3", "w1", "w2"]
    kubectl.patch("virtualips", "erp", {"metadata": {"annotations": {"vipa.dev/move-to": "nowhere"}}})
    kubectl.wait("virtualips", "erp", lambda v: "vipa.dev/move-to" not in v["metadata"]["annotations"], SOON_S)
    until(lambda: any(e["reason"] == "MoveRefused" for e in events(kubectl, "erp")), "an event that says why not")


def events(kubectl: Kubectl, name: str) -> list[dict[str, Any]]:
    return [e for e in kubectl.list("events", "default") if e["involvedObject"]["name"] == name]


def test_one_address_twice_touches_only_the_newer_and_events_are_counted(
    operator: OperatorProcess, kubectl: Kubectl
) -> None:
    populate(kubectl)
    time.sleep(1.0)  # creation times have whole seconds
    for _ in range(2):
        kubectl.apply(manifest("VirtualIP", "twin", {"addresses": ["10.1.1.7"]}))
        twin = kubectl.wait("virtualips", "twin", lambda v: condition(v, "Accepted")[0] == "False", SOON_S)
        assert condition(twin, "Accepted") == ("False", "AddressInUse")
        assert condition(twin, "Conflict") == ("True", "AddressInUse")
        kubectl.apply(manifest("VirtualIP", "twin", {"addresses": ["10.1.1.9"]}))
        kubectl.wait("virtualips", "twin", lambda v: condition(v, "Accepted")[0] == "True", SOON_S)
    assert condition(kubectl.get("virtualips", "erp"), "Accepted") == ("True", "Accepted")
    until(
        lambda: [e["count"] for e in events(kubectl, "twin") if e["reason"] == "AddressInUse"] == [2],
        "one Event, counted twice",
    )


def test_a_deleted_node_is_told_nothing_and_is_no_candidate(operator: OperatorProcess, kubectl: Kubectl) -> None:
    populate(kubectl)
    kubectl.delete("node", "w3")
    kubectl.wait("virtualipnodes", "w1", lambda a: order(a) == ["w1", "w2"], SOON_S)
    kubectl.wait("virtualipnodes", "w3", lambda a: order(a) == [], SOON_S)


def test_two_replicas_never_both_write(api: ApiServer, kubectl: Kubectl, tmp_path: Path) -> None:
    with OperatorProcess(api.admin, tmp_path, "one") as one:
        until(one.leads, "the first leads")
        with OperatorProcess(api.admin, tmp_path, "two") as two:
            populate(kubectl)
            assert not two.leads()
            assert two.metric("vipa_api_writes_total") == 0
            # Frozen, the leader loses the lease; thawed, it must not write although something is to be written.
            os.kill(one.pid, signal.SIGSTOP)
            until(two.leads, "the second leads when the first is frozen", LEASE_S + SOON_S)
            written = settle(kubectl)
            os.kill(one.pid, signal.SIGCONT)
            until(lambda: not one.leads(), "the first noticed")
            before = one.metric("vipa_api_writes_total")
            assert versions(kubectl) == written
            kubectl.patch("virtualips", "erp", {"spec": {"paused": True}})
            kubectl.wait("virtualipnodes", "w1", lambda a: a["spec"]["assignments"][0].get("paused"), SOON_S)
            settle(kubectl)
            assert one.metric("vipa_api_writes_total") == before
            # Asked to stop, the leader gives the lease back: nobody waits for it to run out.
            assert two.terminate() == 0
            until(one.leads, "the first leads again")
            kubectl.patch("virtualips", "erp", {"spec": {"paused": False}})
            kubectl.wait("virtualipnodes", "w1", lambda a: not a["spec"]["assignments"][0].get("paused"), SOON_S)


def test_an_object_deleted_while_the_watch_was_broken_is_no_ghost(
    own_api: Callable[..., ApiServer], tmp_path: Path
) -> None:
    server = own_api("--etcd-compaction-interval=1s")
    kubectl = server.kubectl
    with OperatorProcess(server.admin, tmp_path) as operator:
        populate(kubectl)
        kubectl.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
        kubectl.wait("virtualipnodes", "w1", lambda a: len(order(a, "web")) == 3, SOON_S)
        settle(kubectl)
        os.kill(operator.pid, signal.SIGSTOP)
        server.restart()  # the operator's connections are gone before there is anything to tell
        kubectl.delete("virtualips", "erp")
        time.sleep(5.0)  # by now the past is compacted
        server.restart()  # and the watch cache begins anew: where the operator's watches were is gone, 410
        os.kill(operator.pid, signal.SIGCONT)
        kubectl.wait("virtualipnodes", "w1", lambda a: order(a) == [] and len(order(a, "web")) == 3, 180.0)
        assert "gone without a word from the watch" in operator.log.read_text()


def test_an_api_server_away_for_a_while_costs_nothing(own_api: Callable[..., ApiServer], tmp_path: Path) -> None:
    server = own_api()
    kubectl = server.kubectl
    with OperatorProcess(server.admin, tmp_path) as operator:
        populate(kubectl)
        before = settle(kubectl)
        server.stop()
        until(lambda: not operator.leads(), "without an API server nobody leads")
        server.start()
        until(operator.leads, "it leads again")
        kubectl.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
        kubectl.wait("virtualipnodes", "w1", lambda a: len(order(a, "web")) == 3, SOON_S)
        after = settle(kubectl)
        assert after["virtualips", "erp"] == before["virtualips", "erp"]


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


def test_a_crd_deleted_and_applied_again_leaves_it_not_deaf(own_api: Callable[..., ApiServer], tmp_path: Path) -> None:
    server = own_api()
    kubectl = server.kubectl
    with OperatorProcess(server.admin, tmp_path) as operator:
        populate(kubectl)
        kubectl.run("delete", "crd", "preferredinterfacelists.vipa.dev", timeout_s=SOON_S)
        until(lambda: not operator.running, "it ends when a watch is over for good")
        assert "no watch of preferredinterfacelists any more" in operator.log.read_text()
        assert order(kubectl.get("virtualipnodes", "w1")) == ["w1", "w2", "w3"]
        operator.start()  # as the kubelet does
        crds = Path(__file__).parents[2] / "crds"
        kubectl.run("apply", "--server-side", "-f", str(crds))
        entries = [{"address": NODES["w2"]}]

        def applied() -> bool:
            with suppress(KubectlError):  # the API server takes a moment to serve the kind again
                kubectl.apply(manifest("PreferredInterfaceList", "office", {"interfaces": entries}))
                return True
            return False

        until(applied, "the list is there again")
        kubectl.wait("virtualipnodes", "w1", lambda a: order(a)[:1] == ["w2"], SOON_S)
