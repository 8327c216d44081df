"""The program as a whole: its help is fast, its usage errors are 2."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from vipa_cli.whom import asks_cluster

VIPA = Path(sys.executable).parent / "vipa"
# Each costs 50 ms or more, or brings sockets and threads; none is needed to show help.
HEAVY = (
    "rich",
    "msgspec",
    "ssl",
    "dataclasses",
    "scapy",
    "pyroute2",
    "yaml",
    "asyncio",
    "vipa_lab",
    "vipa_agent",
    "vipa_sim",
    "prometheus_client",
)
LOCAL = ["demo", "lab", "plan", "guests", "observe", "sim"]
CLUSTER = ["status", "explain", "timeline", "move", "drain", "nexthops", "check", "support-bundle"]
COMMANDS = [*LOCAL, *CLUSTER]


def vipa(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VIPA, *words], capture_output=True, text=True, timeout=60, check=False)


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, vipa_cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    done = vipa(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: vipa {command}")
    assert command in vipa("--help").stdout


def test_without_a_word_it_says_which_there_are() -> None:
    done = vipa()
    assert (done.returncode, "explain" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fly",), "invalid choice: 'fly'"),
        (("demo", "--figure", "4"), "no figure 4; use 1, 2 or 3"),
        (("demo", "--timeline", "no/such/folder/x.svg"), "no folder no/such/folder"),
        (("lab", "up", "--scenario", "x"), "no scenario 'x'"),
        (("lab", "up", "--failback", "soon"), "units"),
        (("plan",), "no file given"),
        (("status", "-o", "xml"), "xml"),
        (("status", "--agent", "--context", "lab"), "give one"),
        (("observe", "10.1.1.7", "--seconds", "0"), "0.1 to 3600"),
        (("explain",), "VIP"),
        (("move", "erp"), "--to"),
        (("drain", "w1", "--undo", "--wait"), "not allowed with"),
        (("nexthops", "erp", "--format", "ipvsadm", "--port", "70000"), "1 to 65535"),
    ],
)
def test_wrong_usage_is_2_and_said(words: tuple[str, ...], says: str) -> None:
    done = vipa(*words)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def words(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for flag in ("--kubeconfig", "--context", "--state-dir"):
        parser.add_argument(flag)
    parser.add_argument("--agent", action="store_true")
    return parser.parse_args(given)


def test_whom_status_asks(tmp_path: Path) -> None:
    """The order of vipa_cli.whom, top down."""
    kubeconfig = tmp_path / ".kube" / "config"
    kubeconfig.parent.mkdir()
    kubeconfig.touch()
    here, nothing = {"HOME": str(tmp_path)}, {"HOME": str(tmp_path / "nowhere")}
    assert not asks_cluster(words("--agent"), plugin=True, environment=here)
    assert not asks_cluster(words("--state-dir", "x"), plugin=True, environment=here)
    assert asks_cluster(words("--kubeconfig", "x"), plugin=False, environment=nothing)
    assert asks_cluster(words("--context", "x"), plugin=False, environment=nothing)
    assert asks_cluster(words(), plugin=True, environment=nothing)
    assert asks_cluster(words(), plugin=False, environment=here)
    assert asks_cluster(words(), plugin=False, environment=nothing | {"KUBECONFIG": str(kubeconfig)})
    assert not asks_cluster(words(), plugin=False, environment=nothing)
    assert not asks_cluster(words(), plugin=False, environment=nothing | {"KUBECONFIG": "missing"})


def test_sim_plays_one_seed() -> None:
    done = vipa("sim", "--seed", "3")
    assert done.returncode in (0, 1)
    assert "seed 3" in done.stdout
