"""The files in crds/ are what the types say, and the schemas are such as the API server and people need."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from vipa.crd import NAMES, definitions
from vipa.reasons import Reason
from vipa.resources import KINDS, read_object

ROOT: Final = Path(__file__).parents[2]
DEFINITIONS: Final[dict[str, Any]] = {d["spec"]["names"]["kind"]: d for d in definitions().values()}  # type: ignore[index]
FIXTURES: Final = sorted((ROOT / "tests/fixtures/v1alpha1").glob("*.yaml"))
Schema = dict[str, Any]


def schema_of(kind: str) -> Schema:
    schema: Schema = DEFINITIONS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def parts(schema: Schema, place: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in ``schema``, with its place."""
    yield place, schema
    for name, field in schema.get("properties", {}).items():
        yield from parts(field, f"{place}.{name}")
    for below in ("items", "additionalProperties"):
        if below in schema:
            yield from parts(schema[below], f"{place}[]")


def test_the_files_are_what_the_types_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/crds", "--check"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_generating_twice_gives_the_same() -> None:
    assert definitions() == definitions()
    assert {f"{names.plural}.yaml" for names in NAMES.values()} == set(definitions())


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_a_spec_is_explained(kind: str) -> None:
    for place, schema in parts(schema_of(kind)["properties"]["spec"], "spec"):
        for name, field in schema.get("properties", {}).items():
            assert field.get("description"), f"{kind} {place}.{name} has no description"


@pytest.mark.parametrize("kind", KINDS)
def test_every_list_says_how_it_is_merged(kind: str) -> None:
    for place, schema in parts(schema_of(kind)):
        assert (schema.get("type") == "array") == ("x-kubernetes-list-type" in schema), f"{kind} {place}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_has_no_defaults(kind: str) -> None:
    status = schema_of(kind)["properties"].get("status", {})
    assert not [place for place, schema in parts(status) if "default" in schema]


def test_defaults_are_those_of_the_types() -> None:
    spec = schema_of("VirtualIP")["properties"]["spec"]["properties"]
    assert {name: field["default"] for name, field in spec.items() if "default" in field} == {
        "binding": "Holder",
        "attachment": {"type": "Host"},
        "failback": {"policy": "Delayed", "delay": "30s"},
        "partition": "Available",
        "timing": "Default",
        "paused": False,
    }
    assert spec["failback"]["properties"]["delay"]["default"] == "30s"


def test_only_a_node_may_come_without_a_spec() -> None:
    assert {kind: "spec" in schema_of(kind)["required"] for kind in KINDS} == {
        "VirtualIP": True,
        "PreferredInterfaceList": True,
        "VirtualIPPool": True,
        "VirtualIPNode": False,
    }


def test_columns_show_fields_that_are_there() -> None:
    for kind, names in NAMES.items():
        for column in names.columns:
            at: Schema = schema_of(kind)
            for step in column.json_path.partition("[")[0].strip(".").split("."):
                if step != "creationTimestamp":
                    at = at["properties"][step]
            assert at, f"{kind} {column.json_path}"


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_objects_of_this_version_are_read(path: Path) -> None:
    """Never edit the fixtures: they are objects that people have. A new version gets a folder of its own."""
    for raw in yaml.safe_load_all(path.read_text()):
        wrong = [p for p in read_object(raw).problems if p.reason is not Reason.NOT_SUPPORTED_YET]
        assert not wrong, f"{path.name}: {raw['kind']} {raw['metadata']['name']}: {wrong}"


def test_the_example_of_the_scenario_is_among_them() -> None:
    frozen, example = (ROOT / at / "ibm-i.yaml" for at in ("tests/fixtures/v1alpha1", "examples"))
    assert list(yaml.safe_load_all(frozen.read_text())) == list(yaml.safe_load_all(example.read_text()))
