"""deploy/systemd/vipa-agent.service: what it promises the agent, and what the agent needs of it."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from vipa_agent import settings
from vipa_agent.main import EXIT_USAGE, STOP_S
from vipa_lab.process import AGENT_CAPABILITIES
from vipa_lab.systemd import UNIT, Unit
from vipa_router import settings as router_settings

ROOT: Final = Path(__file__).parents[2]
ROUTER_UNIT: Final = UNIT.with_name("vipa-router.service")
EXPOSURE_MAX: Final = 35
"""systemd-analyze's figure, in tenths: "OK" ends at 5.0. What is left of it is the network, an agent's trade."""


@pytest.fixture
def unit() -> Unit:
    return Unit(UNIT)


def test_its_command_line_is_one_that_the_agent_takes(unit: Unit) -> None:
    program, *words = unit.command({"%H": "w1"})
    assert program == "/opt/vipa/bin/vipa-agent"
    given = settings.parser().parse_args(words)
    assert (given.node, given.state_dir) == ("w1", settings.DEFAULT_STATE_DIR)
    assert str(settings.DEFAULT_STATE_DIR) == f"/run/{unit['RuntimeDirectory']}"
    words = unit.command({"%H": "w1"}, "--node n1 --notify /etc/vipa/hook")[1:]
    assert settings.parser().parse_args(words).node == "n1", "what agent.env says counts"


def test_its_times_are_those_of_the_agent(unit: Unit) -> None:
    assert unit["Type"] == "notify"
    assert unit["Restart"] == "always"
    assert unit["RestartSec"] == "0", "or permits would end before the agent is back"
    assert unit["RestartPreventExitStatus"] == str(EXIT_USAGE)
    assert unit["KillMode"] == "mixed", "the hook runner ends with the agent, not beside it"
    assert float(unit["TimeoutStopSec"].removesuffix("s")) > 2 * STOP_S


def test_it_gives_the_rights_that_every_test_in_the_lab_runs_with(unit: Unit) -> None:
    names = [name.removeprefix("CAP_").lower() for name in unit["CapabilityBoundingSet"].split()]
    assert tuple(names) == AGENT_CAPABILITIES
    assert unit["NoNewPrivileges"] == "yes"
    assert set(unit["RestrictAddressFamilies"].split()) == {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET"}


@pytest.mark.parametrize("file", [UNIT, ROUTER_UNIT], ids=lambda path: path.stem)
def test_systemd_has_nothing_to_say_against_it(file: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    program = tmp_path / file.stem
    program.touch(0o755)
    copy = tmp_path / file.name
    copy.write_text(file.read_text().replace(f"/opt/vipa/bin/{file.stem}", str(program)))
    done = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(
        [analyze, "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


def test_the_routers_unit_gives_it_what_it_takes() -> None:
    unit = Unit(ROUTER_UNIT)
    program, *words = unit.command({"$VIPA_ROUTER_OPTIONS": "--interface=eth1"})
    assert program == "/opt/vipa/bin/vipa-router"
    given = router_settings.parser().parse_args(words)
    assert given.interface == ["eth1"]
    assert given.state_dir == router_settings.DEFAULT_STATE_DIR == Path("/run") / unit["RuntimeDirectory"]
    assert unit["RestartPreventExitStatus"] == str(EXIT_USAGE)
    assert router_settings.DEFAULT_PORT == settings.DEFAULT_PORT
    assert unit["CapabilityBoundingSet"] == Unit(UNIT)["CapabilityBoundingSet"]
    text = (ROOT / "docs/router.md").read_text()
    assert "deploy/systemd/vipa-router.service" in text
    assert unit["EnvironmentFile"].removeprefix("-") in text


def test_documentation_uses_the_unit_s_own_paths(unit: Unit) -> None:
    text = (ROOT / "docs/standalone.md").read_text()
    paths = {word for word in unit.command({"%H": "w1"}) if word.startswith("/")}
    paths.add(unit["EnvironmentFile"].removeprefix("-"))
    assert {path for path in paths if path not in text} == set()
    assert "deploy/systemd/vipa-agent.service" in text
    assert shlex.split(unit["ExecReload"])[1:] == ["-HUP", "$MAINPID"]
