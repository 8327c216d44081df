"""The API server judges every case as core does (tests/unit/test_crds_cases.py), and names the field.

No rule is without a refused and an accepted case: tests/unit/test_crds_rules.py walks them.
"""

from typing import Any, Final

import pytest

from judged.case import Body, Case, Change, names
from judged.everything import CASES, CHANGES
from vipa.crd import NAMES
from vipa.resources import KINDS
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
