"""Manifest texts: values, lines, errors. A bad document never hides a good one."""

import json
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipa_agent.sources.manifests import parse_manifest
from vipa_agent.sources.yamltext import VALUES_MAX, documents


def values(text: str) -> list[object]:
    return [d.error or d.value for d in documents(text)]


def test_scalars_follow_the_core_schema() -> None:
    text = "{a: 1, b: yes, c: 12:30, d: 2026-01-01, e: '1', f: !!str 12, g: 1.5, h: ~, i: , j: true, k: 10.1.1.4}"
    assert values(text) == [
        {
            "a": 1,
            "b": "yes",
            "c": "12:30",
            "d": "2026-01-01",
            "e": "1",
            "f": "12",
            "g": 1.5,
            "h": None,
            "i": None,
            "j": True,
            "k": "10.1.1.4",
        }
    ]


def test_documents_without_content_are_skipped() -> None:
    assert values("# only\n---\n# comments\n---\na: 1\n---\n") == [{"a": 1}]
    assert values("") == []


def test_a_bad_document_hides_no_other() -> None:
    found = list(documents("a: 1\n---\nb: [\n---\nc: 3\n"))
    assert [d.value for d in found] == [{"a": 1}, None, {"c": 3}]
    assert "no YAML" in found[1].error
    assert [d.line for d in found] == [1, 4, 5]


def test_lines_of_values() -> None:
    (document,) = documents("# x\n---\n\nspec:\n  addresses:\n  - 10.1.1.7\n  - 10.1.1.8\n")
    assert document.line == 4
    assert document.line_of(("spec", "addresses")) == 5
    assert document.line_of(("spec", "addresses", 1)) == 7
    assert document.line_of(("spec", "missing", 3)) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested deeper"),
        ("&a [*a]", "stands for nothing"),
        ("a: 1\na: 2", "is there twice"),
        ("? [a]\n: 1", "must be text"),
        ("a: !!python/object:os.system x", "is not read here"),
        ("\x01", "no YAML"),
        ("a: b\n\tc: d", "no YAML"),
        ("a: *nobody", "stands for nothing"),
    ],
)
def test_texts_that_are_refused(text: str, message: str) -> None:
    (document,) = documents(text)
    assert message in document.error


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (document,) = documents("\n".join(lines))
    assert f"more than {VALUES_MAX} values" in document.error


def test_aliases_that_stay_small_are_read() -> None:
    assert values("a: &x [1, 2]\nb: *x\n") == [{"a": [1, 2], "b": [1, 2]}]


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@,? \n\t\\0") | st.characters(), max_size=60))
def test_no_text_raises(text: str) -> None:
    for item in parse_manifest(text, "f.yaml"):
        assert all(p.line >= 1 and str(p) for p in item.problems)
        assert (item.obj is None) == bool(item.problems)


VIP = """\
apiVersion: vipa.dev/v1alpha1
kind: VirtualIP
metadata: {name: erp}
spec:
  addresses:
  - 10.1.1.300
  timing: Fast
"""


def test_a_problem_says_file_line_field_value_and_message() -> None:
    (item,) = parse_manifest("# a comment\n" + VIP, "vips.yaml")
    assert str(item.problems[0]).startswith("vips.yaml:7: spec.addresses[0]: 10.1.1.300: not an IPv4 address")
    assert item.key == ("VirtualIP", "erp")


def test_items_of_a_list_are_objects() -> None:
    text = dedent(
        """\
        apiVersion: v1
        kind: List
        items:
        - apiVersion: vipa.dev/v1alpha1
          kind: VirtualIP
          metadata: {name: good}
          spec: {addresses: [10.1.1.7]}
        - apiVersion: vipa.dev/v1alpha1
          kind: VirtualIP
          metadata: {name: bad}
          spec:
            adresses: [10.1.1.8]
        """
    )
    good, bad = parse_manifest(text, "list.yaml")
    assert good.obj is not None
    assert str(bad.problems[0]).startswith("list.yaml:12: items[1].spec.adresses: a list of 1: unknown field; meant")


def test_other_kinds_are_named_not_ignored() -> None:
    (item,) = parse_manifest("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "c.yaml")
    assert [p.problem.field for p in item.problems] == ["apiVersion", "kind"]
    assert item.problems[1].line == 2


def test_json_may_be_indented_by_tabs() -> None:
    fields = {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIP", "metadata": {"name": "erp"}}
    text = json.dumps({**fields, "spec": {"addresses": ["10.1.1.7"]}}, indent="\t")
    (item,) = parse_manifest(text, "erp.json")
    assert item.obj is not None
