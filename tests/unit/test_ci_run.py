"""``.ci/run``: what follows ``make test``, and that what is left out is said."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path: Path) -> Path:
    """The folder of a ``make`` that notes its goals, and fails for the one in the file ``fails``."""
    program = tmp_path / "make"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/goals\n[ "$1" != "$(cat {tmp_path}/fails 2>/dev/null)" ]\n')
    program.chmod(0o755)
    return tmp_path


def run(make: Path, minutes: str) -> tuple[int, list[str], str]:
    """(exit code, goals that were made, what was printed)."""
    environment = {**os.environ, "PATH": f"{make}:{os.environ['PATH']}", "CI_MINUTES": minutes}
    ended = subprocess.run(
        ["bash", ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return ended.returncode, (make / "goals").read_text().split("\n")[:-1], ended.stdout


def test_the_real_cluster_follows(make: Path) -> None:
    code, goals, printed = run(make, "85")
    assert (code, goals) == (0, ["test", "kind-test"])
    assert "kind-test follows" in printed


def test_without_the_time_for_it_that_is_said(make: Path) -> None:
    code, goals, printed = run(make, "29")
    assert (code, goals) == (0, ["test"])
    assert "kind-test NOT RUN: 29 of 29 minutes left" in printed


@pytest.mark.parametrize(("fails", "made"), [("test", ["test"]), ("kind-test", ["test", "kind-test"])])
def test_what_fails_fails_all(make: Path, fails: str, made: list[str]) -> None:
    (make / "fails").write_text(fails)
    code, goals, _ = run(make, "85")
    assert (code, goals) == (1, made)
