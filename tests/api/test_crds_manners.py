"""The CRDs on a real API server: established, defaults filled in, unknown fields told, writers apart, columns shown."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from vipa.crd import NAMES
from vipa.reasons import Reason
from vipa.resources import KINDS, read_object
from vipa.resources.meta import API_VERSION
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Kubectl

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = sorted((ROOT / "tests/fixtures/v1alpha1").glob("*.yaml"))
VIPS: Final = f"/apis/{API_VERSION}/virtualips"
LISTS: Final = f"/apis/{API_VERSION}/preferredinterfacelists"
Object = dict[str, Any]


def vip(name: str = "erp", **fields: object) -> Object:
    spec = {"addresses": ["10.1.1.7"], **fields}
    return {"apiVersion": API_VERSION, "kind": "VirtualIP", "metadata": {"name": name}, "spec": spec}


def apply(api: ApiServer, manager: str, path: str, body: Object) -> tuple[int, Any]:
    """Server-side apply of ``body`` as ``manager``."""
    return api.rest.ask("PATCH", f"{path}?fieldManager={manager}", body, "application/apply-patch+yaml")


def partial(**spec: object) -> Object:
    """What one of several writers says of the VirtualIP erp."""
    return {"apiVersion": API_VERSION, "kind": "VirtualIP", "metadata": {"name": "erp"}, "spec": spec}


def status(*conditions: Object, **fields: object) -> Object:
    """What one of several writers reports of the VirtualIP erp."""
    made = {"conditions": list(conditions), **fields}
    return {"apiVersion": API_VERSION, "kind": "VirtualIP", "metadata": {"name": "erp"}, "status": made}


def condition(kind: str, word: str = "True", reason: str = "TopOfList") -> Object:
    return {"type": kind, "status": word, "reason": reason, "lastTransitionTime": "2026-01-31T12:00:00Z"}


def test_all_are_established_and_structural(kubectl: Kubectl) -> None:
    found = {each["spec"]["names"]["kind"]: each for each in kubectl.list("crds")}
    assert found.keys() >= KINDS.keys()
    for kind in KINDS:
        state = {c["type"]: c["status"] for c in found[kind]["status"]["conditions"]}
        assert state["Established"] == state["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in state


def test_they_are_called_by_short_names_and_category(api: ApiServer, kubectl: Kubectl) -> None:
    assert api.rest.ask("POST", VIPS, vip())[0] == 201
    for name in ("vip", "virtualip", "virtualips", "vipa"):
        assert "erp" in kubectl.run("get", name, "--no-headers")
    for names in NAMES.values():
        kubectl.run("get", names.short)


def test_defaults_appear(api: ApiServer) -> None:
    code, made = api.rest.ask("POST", VIPS, vip(failback={"policy": "Never"}))
    assert code == 201, made
    assert made["spec"] == {
        "addresses": ["10.1.1.7"],
        "binding": "Holder",
        "attachment": {"type": "Host"},
        "failback": {"policy": "Never", "delay": "30s"},
        "partition": "Available",
        "timing": "Default",
        "paused": False,
    }
    node = {"apiVersion": API_VERSION, "kind": "VirtualIPNode", "metadata": {"name": "w1"}}
    assert api.rest.ask("POST", f"/apis/{API_VERSION}/virtualipnodes", node)[1]["spec"] == {"epoch": 0}


def test_an_unknown_field_is_told_or_pruned_never_kept(api: ApiServer) -> None:
    wrong = vip(adresses=["10.1.1.8"])
    code, answer = api.rest.ask("POST", f"{VIPS}?fieldValidation=Strict", wrong)
    assert code == 400
    assert 'unknown field "spec.adresses"' in answer["message"]
    code, made = api.rest.ask("POST", f"{VIPS}?fieldValidation=Ignore", wrong)
    assert code == 201, made
    assert "adresses" not in made["spec"]


def test_a_status_is_written_by_the_subresource_only(api: ApiServer) -> None:
    code, made = api.rest.ask("POST", VIPS, {**vip(), "status": {"spares": 7}})
    assert (code, made.get("status")) == (201, None)
    code, kept = api.rest.ask("PUT", f"{VIPS}/erp", {**made, "status": {"spares": 7}})
    assert (code, kept.get("status")) == (200, None)
    changed = {**kept, "spec": {**kept["spec"], "paused": True}, "status": {"spares": 7}}
    code, kept = api.rest.ask("PUT", f"{VIPS}/erp/status", changed)
    assert (code, kept["status"]["spares"], kept["spec"]["paused"]) == (200, 7, False)
    assert kept["metadata"]["generation"] == 1


def test_two_writers_of_a_set_add_and_take_away_their_own(api: ApiServer) -> None:
    apply(api, "one", f"{VIPS}/erp", vip(probeTargets=["10.1.1.1"]))
    code, both = apply(api, "two", f"{VIPS}/erp", partial(probeTargets=["10.1.1.2"]))
    assert code == 200, both
    assert sorted(both["spec"]["probeTargets"]) == ["10.1.1.1", "10.1.1.2"]
    left = apply(api, "one", f"{VIPS}/erp", vip())[1]
    assert left["spec"]["probeTargets"] == ["10.1.1.2"]


def test_two_writers_of_conditions_own_one_each(api: ApiServer) -> None:
    api.rest.ask("POST", VIPS, vip())
    at = f"{VIPS}/erp/status"
    assert apply(api, "vipa-operator", at, status(condition("Ready"), condition("Accepted")))[0] == 200
    code, both = apply(api, "other", at, status(condition("example.com/Seen")))
    assert code == 200, both
    assert [c["type"] for c in both["status"]["conditions"]] == ["Ready", "Accepted", "example.com/Seen"]
    code, answer = apply(api, "other", at, status(condition("Ready", "False")))
    assert code == 409
    assert "vipa-operator" in answer["message"]
    left = apply(api, "vipa-operator", at, status(condition("Ready", "False")))[1]
    assert [(c["type"], c["status"]) for c in left["status"]["conditions"]] == [
        ("Ready", "False"),
        ("example.com/Seen", "True"),
    ]


def test_a_second_writer_of_addresses_or_of_an_order_meets_a_conflict(api: ApiServer) -> None:
    apply(api, "one", f"{VIPS}/erp", vip())
    assert apply(api, "two", f"{VIPS}/erp", vip())[0] == 200
    assert apply(api, "two", f"{VIPS}/erp", partial(addresses=["10.1.1.8"]))[0] == 409
    pil: Object = {"apiVersion": API_VERSION, "kind": "PreferredInterfaceList", "metadata": {"name": "ibm-i"}}
    entries = [{"address": "10.1.1.4"}, {"address": "10.1.1.5"}]
    assert apply(api, "one", f"{LISTS}/ibm-i", {**pil, "spec": {"interfaces": entries}})[0] == 201
    assert apply(api, "two", f"{LISTS}/ibm-i", {**pil, "spec": {"interfaces": entries[::-1]}})[0] == 409
    code, made = apply(api, "one", f"{LISTS}/ibm-i", {**pil, "spec": {"interfaces": entries[::-1]}})
    assert (code, made["spec"]["interfaces"]) == (200, entries[::-1])


def test_columns_say_who_serves_and_why(api: ApiServer, kubectl: Kubectl) -> None:
    api.rest.ask("POST", VIPS, vip("alone"))
    api.rest.ask("POST", VIPS, vip())
    holder = {"node": "w1", "interface": "eth1", "endpoint": "w1/eth1"}
    told = status(condition("Ready"), address="10.1.1.7,fd00::7", holder=holder, spares=2)
    assert apply(api, "vipa-operator", f"{VIPS}/erp/status", told)[0] == 200
    header, alone, served = (line.split() for line in kubectl.run("get", "vip").splitlines())
    assert header == ["NAME", "ADDRESS", "HOLDER", "SPARES", "READY", "REASON", "AGE"]
    assert alone[0] == "alone"
    assert served[:6] == ["erp", "10.1.1.7,fd00::7", "w1/eth1", "2", "True", "TopOfList"]


@pytest.mark.parametrize("kind", KINDS)
def test_explain_explains(kubectl: Kubectl, kind: str) -> None:
    text = kubectl.run("explain", f"{NAMES[kind].plural}.spec")
    assert "FIELDS:" in text
    assert "<none>" not in text


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_objects_of_this_version_are_accepted_and_read_back(api: ApiServer, path: Path) -> None:
    for raw in yaml.safe_load_all(path.read_text()):
        at = f"/apis/{API_VERSION}/{NAMES[raw['kind']].plural}"
        code, made = api.rest.ask("POST", f"{at}?fieldValidation=Strict", raw)
        assert code == 201, made
        if "status" in raw:
            at += f"/{raw['metadata']['name']}/status?fieldValidation=Strict"
            code, made = api.rest.ask("PUT", at, {**made, "status": raw["status"]})
            assert code == 200, made
            assert made["status"] == raw["status"]
        assert contains(made["spec"], raw["spec"]), json.dumps(made["spec"])
        wrong = [p for p in read_object(made).problems if p.reason is not Reason.NOT_SUPPORTED_YET]
        assert not wrong


def contains(whole: object, part: object) -> bool:
    """Whether ``whole`` says all that ``part`` says, and perhaps defaults besides."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(name in whole and contains(whole[name], value) for name, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return len(whole) == len(part) and all(contains(*pair) for pair in zip(whole, part, strict=True))
    return whole == part
