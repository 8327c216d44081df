"""docs/standalone.md and what it points at: every manifest is planned, every script and command line is tried."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from vipa_agent import settings
from vipa_agent.hookcall import environment
from vipa_agent.keyfile import read_keys
from vipa_cli.plan import plan_command
from vipa_lab.process import AGENT_CAPABILITIES
from vipa_lab.systemd import UNIT, Unit

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs/standalone.md").read_text()
POD: Final = ROOT / "deploy/static-pod/vipa-agent.yaml"


def blocks(language: str) -> list[str]:
    """Fenced blocks, without the indentation of a list they stand in."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
    return ["".join(line.removeprefix(indent) for line in text.splitlines(True)) for indent, text in found]


def test_all_manifests_are_one_good_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(blocks("yaml")):
        (tmp_path / f"{number}.yaml").write_text(text)
    assert plan_command([str(tmp_path)], "json") == 0
    orders = {v["name"]: [e["address"] for e in v["succession"]] for v in json.loads(capsys.readouterr().out)["vips"]}
    assert orders["erp"] == ["10.1.1.4", "10.1.1.5", "10.1.1.6"]
    assert orders["mail"][:2] == ["10.1.1.6", "10.1.1.4"]
    assert orders["web"] == orders["erp"]
    assert orders["control-plane"][:3] == ["10.1.1.21", "10.1.1.22", "10.1.1.23"]


def event() -> dict[str, Any]:
    (text,) = blocks("json")
    found: dict[str, Any] = json.loads(text)
    return found


def test_the_event_is_what_hooks_are_told() -> None:
    told = set(re.findall(r'^ +"(\w+)":', (ROOT / "nodeagent/vipa_agent/notify.py").read_text(), re.MULTILINE))
    assert event().keys() == told
    assert {"VIPA_VIP", "VIPA_FROM_INTERFACE"} <= environment(event()).keys()


@pytest.mark.parametrize(("word", "there"), [("MASTER", True), ("BACKUP", False), ("FAULT", False), ("STOP", False)])
def test_the_hook_does_what_it_says(tmp_path: Path, word: str, there: bool) -> None:
    (script,) = [text for text in blocks("sh") if text.startswith("#!/bin/sh")]
    script = script.replace("/run/", f"{tmp_path}/").replace("logger", "echo")
    flag = tmp_path / "erp-is-here"
    if not there:
        flag.touch()
    words = ["sh", "-euc", script, "/etc/vipa/notify", "INSTANCE", "erp", word, "254"]
    done = subprocess.run(
        words, env=os.environ | environment(event()), capture_output=True, text=True, check=True, input="{}"
    )
    assert flag.exists() == there
    assert done.stdout == f"erp is {'' if there else 'not '}here: HolderSilent\n"


def test_the_key_it_makes_is_a_key(tmp_path: Path) -> None:
    (line,) = re.findall(r'echo "(k1:\$\(openssl rand -hex 32\))"', TEXT)
    text = subprocess.run(["sh", "-c", f'echo "{line}"'], capture_output=True, text=True, check=True).stdout
    path = tmp_path / "key"
    path.write_text(text)
    (key,) = read_keys(path)
    assert key.name == "k1"


def test_agent_env_is_taken() -> None:
    (options,) = re.findall(r'^VIPA_AGENT_OPTIONS="(.*)"$', TEXT, re.MULTILINE)
    _, *words = Unit(UNIT).command({"%H": "w1"}, options)
    assert settings.parser().parse_args(words).notify == ["/etc/vipa/notify"]


def test_every_option_it_names_is_one() -> None:
    agent = {name for action in settings.parser()._actions for name in action.option_strings}
    others = {"--now", "--kill-whom", "--control-plane-endpoint"}
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", TEXT)) <= agent | others


def test_the_static_pod_is_as_confined_as_the_unit_and_finds_its_files() -> None:
    pod = yaml.safe_load(POD.read_text())
    spec = pod["spec"]
    (container,) = spec["containers"]
    given = settings.parser().parse_args(container["args"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"]}
    assert mounts == paths, "the documentation's paths count inside and outside"
    for path in (given.manifests, given.key_file, given.state_dir):
        assert any(path.is_relative_to(mount) for mount in mounts.values())
    assert f"`{given.manifests}` and `{given.key_file}`" in TEXT
    rights = container["securityContext"]
    assert tuple(name.lower() for name in rights["capabilities"]["add"]) == AGENT_CAPABILITIES
    assert rights["capabilities"]["drop"] == ["ALL"]
    assert (rights["privileged"], rights["allowPrivilegeEscalation"], rights["readOnlyRootFilesystem"]) == (
        False,
        False,
        True,
    )
    assert spec["hostNetwork"] is True
