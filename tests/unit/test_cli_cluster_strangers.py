"""Why a node is no candidate, on recorded objects."""

import copy

import pytest

from unit.fakes.recorded import RECORDED, Object, vip
from vipa_cli.cluster import strangers
from vipa_operator.reconcile import exclusion


def test_why_nodes_are_no_candidates() -> None:
    pil = RECORDED["PreferredInterfaceList"][0]
    found = strangers.strangers(vip(), RECORDED["Node"], RECORDED["VirtualIPNode"], pil)
    assert found == {
        "drained (annotation vipa.dev/drain; undo: kubectl vipa drain NODE --undo)": ["w3"],
        "no interface has a subnet that holds 10.1.1.7": ["w4"],
    }


def test_more_reasons_to_be_no_candidate() -> None:
    nodes = [n for n in copy.deepcopy(RECORDED["Node"]) if n["metadata"]["name"] == "w3"]
    nodes[0]["metadata"]["annotations"] = {}
    agents, pil = RECORDED["VirtualIPNode"], RECORDED["PreferredInterfaceList"][0]

    def why(thing: Object, agents: list[Object] = agents, pil: Object | None = None) -> str:
        (reason,) = strangers.strangers(thing, nodes, agents, pil)
        return reason

    assert why(vip(), pil=pil) == "not on PreferredInterfaceList ibm-i, which has fallback None"
    assert why(vip(), agents=[]) == strangers.NO_AGENT
    assert "nodeSelector" in why(vip("erp", lambda v: v["spec"].update(nodeSelector={"matchLabels": {"a": "b"}})))
    assert "spec.interfaces (bond*)" in why(vip("erp", lambda v: v["spec"].update(interfaces=["bond*"])))
    assert why(vip()).startswith("not planned with")


@pytest.mark.parametrize(
    ("key", "operator", "values", "met"),
    [
        ("a", "In", ["1"], True),
        ("a", "In", ["2"], False),
        ("b", "NotIn", ["1"], True),
        ("a", "Exists", None, True),
        ("a", "DoesNotExist", None, False),
        ("a", "Near", None, False),
    ],
)
def test_selectors(key: str, operator: str, values: list[str] | None, met: bool) -> None:
    selector = {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}
    assert strangers.matches(selector, {"a": "1"}) is met


def bare(**more: object) -> Object:
    metadata = {"name": "w1"} | {k: v for k, v in more.items() if k in ("labels", "annotations", "deletionTimestamp")}
    return {"metadata": metadata, "spec": more.get("spec", {}), "status": more.get("status", {})}


EXCLUSIONS = [
    bare(annotations={exclusion.DRAIN_ANNOTATION: "true"}),
    bare(annotations={exclusion.DRAIN_ANNOTATION: "false"}),
    bare(labels={exclusion.EXCLUDE_LABEL: "true"}),
    bare(labels={exclusion.EXCLUDE_LABEL: "no"}),
    bare(labels={exclusion.LOAD_BALANCER_LABEL: ""}),
    bare(deletionTimestamp="2026-03-01T00:00:00Z"),
    bare(status={"conditions": [{"type": "NetworkUnavailable", "status": "True"}]}),
    bare(status={"conditions": [{"type": "Ready", "status": "False"}]}),
    bare(spec={"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable"}]}),
    *(bare(spec={"taints": [{"key": key}]}) for key in exclusion.TAINTS),
]


@pytest.mark.parametrize("node", EXCLUSIONS)
def test_the_operator_and_this_program_agree_on_who_is_excluded(node: Object) -> None:
    assert bool(strangers.excluded(node)) is bool(exclusion.excluded(node))
    assert strangers.TAINTS.keys() == exclusion.TAINTS.keys()
