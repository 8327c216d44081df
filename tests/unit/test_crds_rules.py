"""No rule without a case that it refuses and one that it accepts."""

from typing import Any

import pytest

from judged.case import Case, Change, names
from judged.everything import CASES, CHANGES, Standing, rules_of, values_at
from vipa.crd import definitions
from vipa.resources import KINDS


def schema_of(kind: str) -> dict[str, Any]:
    made: Any = next(d for d in definitions().values() if d["spec"]["names"]["kind"] == kind)  # type: ignore[index]
    schema: dict[str, Any] = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


RULES = [(kind, standing) for kind in KINDS for standing in rules_of(schema_of(kind))]


def name(value: object) -> str:
    return f"{value.names}: {value.rule['message']}" if isinstance(value, Standing) else str(value)


@pytest.mark.parametrize(("kind", "standing"), RULES, ids=name)
def test_a_rule_has_a_refused_case(kind: str, standing: Standing) -> None:
    tried: tuple[Case | Change, ...] = (*CASES, *CHANGES)
    refused = [each for each in tried if each.kind == kind and each.says]
    assert [
        each
        for each in refused
        if standing.rule["message"].startswith(each.says)
        and (names(standing.names, each.place) or names(standing.place, each.place))
    ]


@pytest.mark.parametrize(("kind", "standing"), RULES, ids=name)
def test_a_rule_has_an_accepted_case(kind: str, standing: Standing) -> None:
    if standing.about_change:
        good = [each.after for each in CHANGES if each.kind == kind and not each.says]
        assert [each for each in good if list(values_at({"spec": each}, standing.place))]
    else:
        objects = [each.object for each in CASES if each.kind == kind and not each.field]
        assert [each for each in objects if list(values_at(each, standing.place))]


def test_rules_are_for_people_and_for_the_server() -> None:
    assert RULES
    for _, standing in RULES:
        rule = standing.rule
        assert "\n" not in rule["message"]
        assert len(rule["message"]) <= 160


def test_the_walk_finds_rules_in_fields_lists_and_maps() -> None:
    rule = {"rule": "self", "message": "m", "fieldPath": ".x"}
    inner = {"x-kubernetes-validations": [rule]}
    schema = {"properties": {"a": {"items": inner}, "b": {"additionalProperties": inner}, "c": inner}}
    assert [(s.place, s.names) for s in rules_of(schema)] == [("a[]", "a[].x"), ("b[]", "b[].x"), ("c", "c.x")]
    assert list(values_at({"a": [{"b": [1, 2]}, {"b": [3]}, {}]}, "a[].b[]")) == [1, 2, 3]
    assert list(values_at({"a": {"b": 1}}, "a.b")) == [1]
    assert list(values_at({"a": 1}, "a.b")) == []
