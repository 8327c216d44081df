"""What vipa-router takes on its command line: as its service unit starts it, with and without keys and interfaces."""

from pathlib import Path

import pytest

from vipa_lab.systemd import UNIT, Unit
from vipa_router.settings import Settings, parse


def started(options: str, key_file: Path) -> Settings:
    """By the unit, with these options in router.env."""
    words = Unit(UNIT.with_name("vipa-router.service")).command({})[1:]
    at = words.index("$VIPA_ROUTER_OPTIONS")
    return parse([*words[:at], *options.split(), *words[at + 1 :]], key_file)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("k" * 32 + "\n")
    return path


def test_an_interface_that_is_not_there_yet_is_waited_for(key_file: Path) -> None:
    assert started("--interface late0", key_file).interfaces == ("late0",)


def test_the_unit_reads_the_agents_key_where_one_is_needed(key_file: Path, tmp_path: Path) -> None:
    given = started("--interface eth1", key_file)
    assert (given.key_file, len(given.keys)) == (key_file, 1)
    other = tmp_path / "other"
    other.write_text("o" * 32 + "\n")
    assert started(f"--interface eth1 --key-file {other}", key_file).key_file == other


def test_the_unit_starts_without_a_key_where_none_is_wanted(key_file: Path) -> None:
    for options in ("--kubeconfig /etc/vipa/kubeconfig", "--interface eth1 --insecure"):
        for there in (key_file, key_file.with_name("none")):
            assert started(options, there).keys == ()


def test_what_is_missing_is_named(key_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    none = key_file.with_name("none")
    for options, said in (("", "--interface IF"), ("--interface eth1", f"there is no {none}; give --key-file F")):
        with pytest.raises(SystemExit) as ended:
            started(options, none)
        assert ended.value.code == 2, "which the unit does not start again"
        assert said in capsys.readouterr().err
