"""The API server judges every case as core does (tests/unit/test_crds_cases.py), and names the field.

No rule is without a refused and an accepted case: tests/unit/test_crds_rules.py walks them.
"""

import ipaddress
import random
from typing import Any, Final

import pytest

from judged.case import Body, Case, Change, names
from judged.everything import CASES, CHANGES
from vipa.crd import NAMES
from vipa.reasons import Reason
from vipa.resources import KINDS, read_object
from vipa.resources.meta import API_VERSION
from vipa_lab.kube.apiserver import ApiServer

BASE: Final = f"/apis/{API_VERSION}"
TRY: Final = "?dryRun=All&fieldValidation=Strict"


def judge(api: ApiServer, case: Case) -> tuple[int, Any]:
    """What the server answers to ``case``. Nothing stays, but the node that a reported status needs."""
    path = f"{BASE}/{NAMES[case.kind].plural}"
    if "status" not in case.body:
        return api.rest.ask("POST", path + TRY, case.object)
    there = {**case.object, "status": {}}
    api.rest.ask("POST", path, there)
    held = api.rest.ask("GET", f"{path}/{case.name}")[1]
    return api.rest.ask("PUT", f"{path}/{case.name}/status{TRY}", {**held, "status": case.body["status"]})


def difference(case: Case | Change, code: int, answer: Any) -> str:  # noqa: ANN401 - JSON
    """How the answer differs from what the case says; empty when it does not."""
    if not case.says:
        return "" if code in (200, 201) else f"{case}\n  should be accepted, but: {answer['message']}"
    if code != 422:
        return f"{case}\n  should be refused at {case.field}, but: {code} {answer}"
    causes = answer["details"]["causes"]
    wanted = (case.api_field or case.field) if isinstance(case, Case) else case.field
    if any(names(each["field"], wanted) and case.says in each["message"] for each in causes):
        return ""
    return f"{case}\n  should be refused at {wanted} with {case.says!r}, but: {causes}"


@pytest.mark.parametrize("kind", KINDS)
def test_the_api_server_judges_as_core_does(api: ApiServer, kind: str) -> None:
    different = [difference(case, *judge(api, case)) for case in CASES if case.kind == kind]
    assert different
    assert not any(different), "\n".join(each for each in different if each)


def test_a_change_is_judged_by_what_was_there(api: ApiServer) -> None:
    different = []
    for number, change in enumerate(CHANGES):
        path, name = f"{BASE}/{NAMES[change.kind].plural}", f"change-{number}"
        made: Body = {"apiVersion": API_VERSION, "kind": change.kind, "metadata": {"name": name}, "spec": change.before}
        code, held = api.rest.ask("POST", path, made)
        assert code == 201, held
        answer = api.rest.ask("PUT", f"{path}/{name}{TRY}", {**held, "spec": change.after})
        different.append(difference(change, *answer))
    assert not any(different), "\n".join(each for each in different if each)


MIXED: Final = 150
"""Objects of each kind; about 10 ms each."""


def unlike(api: ApiServer, cases: list[Case]) -> tuple[list[str], set[bool]]:
    """Where the API server and core differ on ``cases``, and the outcomes there were: True for accepted."""
    different, outcomes = [], set()
    for case in cases:
        core = [p.field for p in read_object(case.object).problems if p.reason is not Reason.NOT_SUPPORTED_YET]
        code, answer = judge(api, case)
        outcomes.add(not core)
        if (code == 201) != (not core) or code not in (201, 422):
            different.append(f"{case}\n  core: {core}\n  API server: {code} {answer.get('message')}")
    return different, outcomes


def mixed(specs: list[Body]) -> Body:
    """The fields of all ``specs``; lists one after the other, without what is there already."""
    made: Body = {}
    for spec in specs:
        for name, value in spec.items():
            both = isinstance(value, list) and isinstance(made.get(name), list)
            made[name] = [*made[name], *(v for v in value if v not in made[name])] if both else value
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_objects_are_judged_alike(api: ApiServer, kind: str) -> None:
    """Fields of several cases in one object: rules that look at two fields must agree with core there too."""
    chance = random.Random(4)
    cases = [case for case in CASES if case.kind == kind and case.body.get("spec")]
    good = [case.body["spec"] for case in cases if not case.field]
    every = [case.body["spec"] for case in cases]
    made = [mixed([chance.choice(good), chance.choice(good), chance.choice(every)]) for _ in range(MIXED)]
    different, outcomes = unlike(api, [Case(kind, {"spec": spec}) for spec in made])
    assert not different, "\n".join(different)
    assert outcomes == {True, False}


def test_ranges_are_ordered_and_kept_apart_alike(api: ApiServer) -> None:
    """Random ranges, close together, so that about half of them overlap."""
    chance = random.Random(4)

    def number(most: int) -> str:
        return f"{chance.choice((0, 1, chance.randrange(most), most - 1)):x}"

    def address(version: int) -> str:
        if version == 4:
            return f"10.{chance.randrange(2)}.{chance.randrange(300) % 256}.{chance.randrange(256)}"
        groups = ":".join(["fd00", *(chance.choice(("0", "0", number(1 << 16))) for _ in range(7))])
        return str(ipaddress.ip_address(groups))

    def span(version: int) -> str:
        ends = sorted((ipaddress.ip_address(address(version)) for _ in range(2)), key=int)
        if chance.random() < 0.3:
            length = chance.randrange(20, 33) if version == 4 else chance.randrange(60, 129)
            return str(ipaddress.ip_network(f"{ends[0]}/{length}", strict=False))
        if chance.random() < 0.1:
            ends.reverse()
        return f"{ends[0]}-{ends[1]}"

    made = [[span(version) for _ in range(chance.randrange(1, 4))] for version in (4, 6) for _ in range(MIXED)]
    different, outcomes = unlike(api, [Case("VirtualIPPool", {"spec": {"ranges": each}}) for each in made])
    assert not different, "\n".join(different)
    assert outcomes == {True, False}


def test_the_largest_objects_are_within_the_budget(api: ApiServer) -> None:
    """The API server reckons beforehand what a rule may cost, and again while it judges."""
    ranges = [f"fd00:{i:x}::{i + 1:x}:ffff-fd00:{i:x}::{i + 2:x}:1" for i in range(1, 33)]
    values = [f"v{i}" for i in range(64)]
    some = [{"key": f"k{i}", "operator": "In", "values": values} for i in range(16)]
    labels = [{**dict.fromkeys((f"l{i}" for i in range(32)), "v"), "l0": f"v{i}"} for i in range(64)]
    entries = [{"nodeSelector": {"matchLabels": each, "matchExpressions": some}, "interface": "e*"} for each in labels]
    endpoints = [{"address": f"10.1.1.{i}", "node": f"w{i}.example.com", "interface": "eth1"} for i in range(3)]
    one = {"addresses": ["10.1.1.7", "fd00::7"], "succession": endpoints}
    assignments = [{"name": f"v{i}", **one} for i in range(2500)]
    large = (
        Case("VirtualIPPool", {"spec": {"ranges": ranges}}),
        Case("PreferredInterfaceList", {"spec": {"interfaces": entries}}),
        Case("VirtualIPNode", {"spec": {"assignments": assignments}}),
    )
    different = [difference(case, *judge(api, case)) for case in large]
    assert not any(different), "\n".join(each[-2000:] for each in different)
