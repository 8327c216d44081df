"""``tools/programs``: what tests call by name is there, is installed, or is asked for in one line."""

import os
import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parents[2] / "tools" / "programs"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of commands, before all others in PATH: apt-get notes its words and installs "vipa-thing"."""
    apt = f'#!/bin/sh\necho "$@" >>{tmp_path}/said\nprintf "#!/bin/sh\\n" >{tmp_path}/vipa-thing\n'
    for name, text in {"apt-get": apt, "id": "#!/bin/sh\necho 0\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def programs(machine: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run on that machine."""
    environment = {**os.environ, "PATH": f"{machine}:{os.environ['PATH']}"}
    return subprocess.run([PROGRAMS, *words], env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_there_costs_nothing(machine: Path) -> None:
    ended = programs(machine, "sh=dash", "cat=coreutils")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not (machine / "said").exists()


def test_root_gets_what_is_missing(machine: Path) -> None:
    ended = programs(machine, "sh=dash", "vipa-thing=thing-utils")
    assert ended.returncode == 0
    assert "installing thing-utils" in ended.stdout
    install = (machine / "said").read_text().splitlines()[-1]
    assert install.startswith("install ")
    assert install.endswith(" thing-utils")


def test_others_are_told_in_one_line(machine: Path) -> None:
    (machine / "id").write_text("#!/bin/sh\necho 1000\n")
    ended = programs(machine, "vipa-thing=thing-utils")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "programs: missing: 'apt install thing-utils' (once, as root), then run make again\n"
    assert not (machine / "said").exists()
