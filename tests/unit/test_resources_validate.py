"""Every rule about one object: what is wrong is named by field, value and remedy."""

from typing import Any

import pytest

from vipa.reasons import Reason
from vipa.resources import API_VERSION, Problem, VirtualIP, read_object
from vipa.resources.notyet import NOT_YET

GOOD_VIP = {"addresses": ["10.1.1.7"]}


def obj(kind: str, spec: object, name: str = "erp", **extra: object) -> dict[str, object]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec, **extra}


def problems_of(raw: object) -> list[Problem]:
    return list(read_object(raw).problems)


def test_the_smallest_good_vip_has_the_documented_defaults() -> None:
    vip = read_object(obj("VirtualIP", GOOD_VIP)).obj
    assert isinstance(vip, VirtualIP)
    assert vip.spec.addresses == ("10.1.1.7",)
    assert (vip.spec.failback.policy, vip.spec.failback.delay) == ("Delayed", "30s")
    assert (vip.spec.binding, vip.spec.partition, vip.spec.timing) == ("Holder", "Available", "Default")
    assert not vip.spec.paused


VIP_CASES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "spec.addresses", "missing; write the address"),
    ({"addresses": "10.1.1.7"}, "spec.addresses", "must be a list, is text; write [10.1.1.7]"),
    ({"addresses": [7]}, "spec.addresses[0]", "must be text"),
    ({"addresses": [None]}, "spec.addresses[0]", "empty entry"),
    ({"addresses": ["10.1.1.300"]}, "spec.addresses[0]", "from 0 to 255"),
    ({"addresses": ["010.1.1.7"]}, "spec.addresses[0]", "write 10.1.1.7"),
    ({"addresses": ["10.1.1.7/24"]}, "spec.addresses[0]", "write 10.1.1.7"),
    ({"addresses": [" 10.1.1.7"]}, "spec.addresses[0]", "without spaces"),
    ({"addresses": ["erp.example.com"]}, "spec.addresses[0]", "not an IP address"),
    ({"addresses": ["224.0.0.1"]}, "spec.addresses[0]", "multicast"),
    ({"addresses": ["127.0.0.1"]}, "spec.addresses[0]", "loopback"),
    ({"addresses": ["169.254.1.1"]}, "spec.addresses[0]", "link-local"),
    ({"addresses": ["0.0.0.0"]}, "spec.addresses[0]", "unspecified"),
    ({"addresses": ["0.1.2.3"]}, "spec.addresses[0]", "0.0.0.0/8"),
    ({"addresses": ["255.255.255.255"]}, "spec.addresses[0]", "broadcast"),
    ({"addresses": ["FD00::7"]}, "spec.addresses[0]", "write fd00::7"),
    ({"addresses": ["::ffff:10.1.1.7"]}, "spec.addresses[0]", "write 10.1.1.7"),
    ({"addresses": ["fd00::7%eth0"]}, "spec.addresses[0]", "without it"),
    ({"addresses": ["10.1.1.7", "10.1.1.8"]}, "spec.addresses[1]", "a second IPv4 address"),
    ({"addresses": ["10.1.1.7", "10.1.1.7"]}, "spec.addresses[1]", "named twice"),
    ({"addresses": ["10.1.1.7", "10.1.1.8", "10.1.1.9"]}, "spec.addresses", "at most 2"),
    ({"addresses": ["10.1.1.7"], "pool": "office"}, "spec.pool", "not both"),
    ({"address": ["10.1.1.7"]}, "spec.address", "unknown field; meant addresses?"),
    ({**GOOD_VIP, "colour": "red"}, "spec.colour", "known here: addresses, pool"),
    ({**GOOD_VIP, "timing": "fast"}, "spec.timing", "meant Fast?"),
    ({**GOOD_VIP, "timing": None}, "spec.timing", "one of Fast, Default, Calm"),
    ({**GOOD_VIP, "paused": "yes"}, "spec.paused", "must be true or false"),
    ({**GOOD_VIP, "paused": 1}, "spec.paused", "must be true or false"),
    ({**GOOD_VIP, "preferredInterfaceList": "IBM i"}, "spec.preferredInterfaceList", "no valid name"),
    ({**GOOD_VIP, "nodeSelector": {"rack": "b"}}, "spec.nodeSelector.rack", "matchLabels: {rack: b}"),
    (
        {**GOOD_VIP, "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        "spec.nodeSelector.matchExpressions[0].values",
        "at least one value",
    ),
    (
        {**GOOD_VIP, "nodeSelector": {"matchExpressions": [{"operator": "Exists"}]}},
        "spec.nodeSelector.matchExpressions[0].key",
        "missing",
    ),
    ({**GOOD_VIP, "interfaces": ["eth0", "eth0"]}, "spec.interfaces[1]", "named twice"),
    ({**GOOD_VIP, "interfaces": ["a b"]}, "spec.interfaces[0]", "no interface name"),
    ({**GOOD_VIP, "attachment": {"bridge": "br0"}}, "spec.attachment.bridge", "VirtualEthernet"),
    ({**GOOD_VIP, "attachment": {"type": "VirtualEthernet"}}, "spec.attachment.bridge", "missing"),
    ({**GOOD_VIP, "failback": {"delay": 30}}, "spec.failback.delay", "must be text"),
    ({**GOOD_VIP, "failback": {"delay": "30"}}, "spec.failback.delay", "units h, m, s or ms"),
    ({**GOOD_VIP, "failback": {"delay": "25h"}}, "spec.failback.delay", "at most"),
    ({**GOOD_VIP, "partition": "Single", "voters": ["a", "b"]}, "spec.voters", "3 or 5 node names"),
    ({**GOOD_VIP, "voters": ["a", "b", "c"]}, "spec.voters", "only used with partition: Single"),
    ({**GOOD_VIP, "healthChecks": [{}]}, "spec.healthChecks[0]", "exactly one of tcp"),
    ({**GOOD_VIP, "healthChecks": [{"tcp": {"port": 0}}]}, "spec.healthChecks[0].tcp.port", "from 1 to 65535"),
    (
        {**GOOD_VIP, "healthChecks": [{"tcp": {"port": True}}]},
        "spec.healthChecks[0].tcp.port",
        "must be a whole number",
    ),
    (
        {**GOOD_VIP, "healthChecks": [{"http": {"port": 80, "path": "x"}}]},
        "spec.healthChecks[0].http.path",
        "start with",
    ),
    ({**GOOD_VIP, "probeTargets": ["10.1.1.7"]}, "spec.probeTargets[0]", "virtual IP itself"),
    ({**GOOD_VIP, "probeTargets": ["gateway"]}, "spec.probeTargets[0]", "not an IP address"),
]


@pytest.mark.parametrize(("spec", "field", "message"), VIP_CASES)
def test_a_wrong_vip_is_named_by_field_and_remedy(spec: dict[str, Any], field: str, message: str) -> None:
    found = [p for p in problems_of(obj("VirtualIP", spec)) if p.reason is Reason.INVALID]
    assert [p.field for p in found] == [field]
    assert message in found[0].message


LIST_CASES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "spec.interfaces", "name at least one"),
    ({"interfaces": []}, "spec.interfaces", "at least 1"),
    ({"interfaces": [{}]}, "spec.interfaces[0]", "exactly one of"),
    ({"interfaces": [{"address": "10.1.1.4", "node": "w1"}]}, "spec.interfaces[0]", "exactly one of"),
    ({"interfaces": [{"address": "10.1.1.4", "interface": "eth1"}]}, "spec.interfaces[0]", "exactly one of"),
    ({"interfaces": [{"node": "w1", "nodeSelector": {}, "interface": "e"}]}, "spec.interfaces[0]", "exactly one of"),
    ({"interfaces": [{"node": "w1"}]}, "spec.interfaces[0].interface", "missing"),
    ({"interfaces": [{"nodeSelector": {}}]}, "spec.interfaces[0].interface", "missing"),
    ({"interfaces": [{"node": "w1", "interface": "eth*"}]}, "spec.interfaces[0].interface", "glob"),
    ({"interfaces": [{"node": "w1", "interface": "a" * 16}]}, "spec.interfaces[0].interface", "15 characters"),
    ({"interfaces": [{"address": "10.1.1"}]}, "spec.interfaces[0].address", "not an IP address"),
    ({"interfaces": [{"address": "10.1.1.4"}] * 2}, "spec.interfaces[1]", "the same as entry 0"),
    ({"interfaces": [{"address": f"10.1.1.{i}"} for i in range(65)]}, "spec.interfaces", "at most 64"),
    ({"interfaces": [{"address": "10.1.1.4"}], "fallback": None}, "spec.fallback", "one of Any, None"),
]


@pytest.mark.parametrize(("spec", "field", "message"), LIST_CASES)
def test_a_wrong_list_is_named_by_field_and_remedy(spec: dict[str, Any], field: str, message: str) -> None:
    found = problems_of(obj("PreferredInterfaceList", spec))
    assert [p.field for p in found] == [field]
    assert message in found[0].message


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ([], "at least 1"),
        (["10.1.1.9-10.1.1.1"], "write 10.1.1.1-10.1.1.9"),
        (["10.1.1.1/24"], "write 10.1.1.0/24"),
        (["10.1.0.0/16", "10.1.1.1-10.1.1.9"], "overlaps 10.1.0.0/16"),
        (["10.1.1.1-fd00::1"], "mixes"),
        (["all"], "no range"),
    ],
)
def test_a_wrong_pool_is_named(ranges: list[str], message: str) -> None:
    found = [p for p in problems_of(obj("VirtualIPPool", {"ranges": ranges})) if p.reason is Reason.INVALID]
    assert len(found) == 1
    assert message in found[0].message


@pytest.mark.parametrize(
    ("interfaces", "field"),
    [
        ([{"name": "eth1", "addresses": ["10.1.1.4"]}], "status.interfaces[0].addresses[0]"),
        ([{"name": "eth1", "addresses": ["x/24"]}], "status.interfaces[0].addresses[0]"),
        ([{"name": "eth1"}, {"name": "eth1"}], "status.interfaces[1].name"),
        ([{"addresses": []}], "status.interfaces[0].name"),
    ],
)
def test_a_wrong_node_is_named(interfaces: list[object], field: str) -> None:
    found = problems_of(obj("VirtualIPNode", {}, status={"interfaces": interfaces}))
    assert [p.field for p in found] == [field]


def test_fields_of_kubernetes_and_of_newer_agents_are_left_alone() -> None:
    raw = obj("VirtualIPNode", {}, status={"novelty": 1})
    raw["metadata"] = {"name": "w1.example.com", "managedFields": [{}], "resourceVersion": "7"}
    assert problems_of(raw) == []


@pytest.mark.parametrize(
    ("raw", "field", "message"),
    [
        (obj("VirtualIp", GOOD_VIP), "kind", "meant VirtualIP?"),
        (obj("ConfigMap", {}), "kind", "unknown kind; vipa reads VirtualIP,"),
        ({**obj("VirtualIP", GOOD_VIP), "apiVersion": "v1"}, "apiVersion", "write vipa.dev/v1alpha1"),
        (obj("VirtualIP", GOOD_VIP, name="Erp_1"), "metadata.name", "lower-case"),
        (obj("VirtualIP", GOOD_VIP, name=""), "metadata.name", "missing"),
        ([], "", "must be an object"),
    ],
)
def test_what_is_no_object_of_ours_is_named(raw: object, field: str, message: str) -> None:
    found = problems_of(raw)
    assert [p.field for p in found] == [field]
    assert message in found[0].message


NOT_YET_CASES: list[tuple[str, dict[str, Any], str]] = [
    ("VirtualIP", {"pool": "office"}, "spec.pool"),
    ("VirtualIP", {**GOOD_VIP, "partition": "Single", "voters": ["a", "b", "c"]}, "spec.partition"),
    ("VirtualIPPool", {"ranges": ["10.1.1.0/28"]}, "kind"),
    (
        "VirtualIP",
        {**GOOD_VIP, "binding": "EveryCandidate", "attachment": {"type": "VirtualEthernet", "bridge": "br0"}},
        "spec.binding",
    ),
]


@pytest.mark.parametrize(("kind", "spec", "field"), NOT_YET_CASES)
def test_what_this_build_does_not_do_is_refused_not_ignored(kind: str, spec: dict[str, Any], field: str) -> None:
    read = read_object(obj(kind, spec))
    assert read.obj is None
    assert [(p.field, p.reason) for p in read.problems] == [(field, Reason.NOT_SUPPORTED_YET)]


def test_every_line_of_the_table_is_tried_above() -> None:
    tried = {p.message for kind, spec, _ in NOT_YET_CASES for p in problems_of(obj(kind, spec))}
    assert tried == {entry.sentence for entry in NOT_YET}


def test_all_problems_are_found_at_once() -> None:
    spec = {"address": ["10.1.1.7"], "timing": "fast", "paused": "no", "failback": {"polcy": "Never"}}
    assert [p.field for p in problems_of(obj("VirtualIP", spec))] == [
        "spec.address",
        "spec.timing",
        "spec.paused",
        "spec.failback.polcy",
    ]
