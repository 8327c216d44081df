"""The program as a whole: its help is fast, its usage errors are 2."""

import subprocess
import sys
from pathlib import Path

import pytest

VIPA = Path(sys.executable).parent / "vipa"
# Each costs 50 ms or more, or brings sockets and threads; none is needed to show help.
HEAVY = ("rich.live", "scapy", "pyroute2", "yaml", "asyncio", "vipa_lab", "vipa_agent", "vipa_sim", "prometheus_client")


def vipa(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VIPA, *words], capture_output=True, text=True, timeout=60, check=False)


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, vipa_cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["demo", "lab", "plan", "status", "observe", "check", "sim"])
def test_every_command_explains_itself(command: str) -> None:
    done = vipa(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: vipa")
    assert command in vipa("--help").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fly",), "No such command"),
        (("demo", "--figure", "1"), "not supported yet"),
        (("demo", "--figure", "4"), "no figure 4"),
        (("demo", "--timeline", "no/such/folder/x.svg"), "no folder no/such/folder"),
        (("lab", "up", "--scenario", "x"), "no scenario 'x'"),
        (("lab", "up", "--failback", "soon"), "units"),
        (("plan",), "no file given"),
        (("status", "-o", "xml"), "xml"),
    ],
)
def test_wrong_usage_is_2_and_said(words: tuple[str, ...], says: str) -> None:
    done = vipa(*words)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_sim_plays_one_seed() -> None:
    done = vipa("sim", "--seed", "3")
    assert done.returncode in (0, 1)
    assert "seed 3" in done.stdout
