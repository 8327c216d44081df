"""What ``vipa observe`` makes of the answers."""

import argparse
from pathlib import Path

import pytest

from vipa_cli import exits
from vipa_cli.ask import Answers
from vipa_cli.observe import Declared, from_agent, from_file, judge, observe_command

EXAMPLE = Path(__file__).parents[2] / "examples" / "ibm-i.yaml"
OWNERS = {"aa": "10.1.1.4", "bb": "10.1.1.6"}
CANDIDATES = ("10.1.1.4", "10.1.1.6")


@pytest.mark.parametrize(
    ("answers", "declared", "good", "says"),
    [
        (Answers(20, {"aa": 20}), Declared("x", CANDIDATES), True, "as declared"),
        (Answers(20, {"aa": 20}), Declared("x", CANDIDATES, elected="10.1.1.4"), True, "as declared"),
        (Answers(20, {"aa": 20}), Declared("x", CANDIDATES, elected="10.1.1.6"), False, "10.1.1.6 is elected"),
        (Answers(20, {"ff": 20}), Declared("x", CANDIDATES), False, "a foreign machine"),
        (Answers(20, {}), Declared("x", CANDIDATES), False, "nobody answers"),
        (Answers(20, {}), None, False, "nobody answers"),
        (Answers(20, {"ff": 20}), None, True, "nothing is declared"),
        (Answers(20, {"aa": 20, "bb": 20}, at_once=20), Declared("x", CANDIDATES), False, "several answer at once"),
        (Answers(20, {"aa": 9, "bb": 11}), Declared("x", CANDIDATES), False, "it moved"),
        (Answers(20, {}), Declared("x", CANDIDATES, here=True), True, "nobody else answers"),
        (Answers(20, {"bb": 1}), Declared("x", CANDIDATES, here=True), False, "and yet bb (10.1.1.6) answers"),
    ],
)
def test_judgement(answers: Answers, declared: Declared | None, good: bool, says: str) -> None:
    verdict, words = judge(answers, OWNERS, declared)
    assert (verdict, says in words) == (good, True), words


def test_a_file_says_who_may_answer() -> None:
    declared = from_file(EXAMPLE, "10.1.1.7")
    assert declared is not None
    assert declared.candidates == ("10.1.1.4", "10.1.1.5", "10.1.1.6")
    assert from_file(EXAMPLE, "10.1.1.8") is None


def test_no_agent_declares_nothing(tmp_path: Path) -> None:
    assert from_agent(tmp_path, "10.1.1.7") is None


@pytest.mark.parametrize(
    ("vip", "interface", "file", "says"),
    [
        ("nonsense", "", None, "no IP address"),
        ("10.1.1.7", "", Path("nowhere.yaml"), "no file nowhere.yaml"),
        ("10.1.1.8", "", EXAMPLE, "declares no virtual IP 10.1.1.8"),
        ("10.1.1.7", "no-such-nic", None, "no interface 'no-such-nic'"),
    ],
)
def test_wrong_usage_is_said(
    vip: str, interface: str, file: Path | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert observe_command(vip, interface, 0.1, file, tmp_path, "table") == exits.USAGE
    assert says in capsys.readouterr().err


def test_without_an_interface_on_that_lan_nothing_can_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # TEST-NET-3 (RFC 5737) is on nobody's LAN.
    assert observe_command("203.0.113.7", "", 0.1, None, tmp_path, "table") == exits.CANNOT_TELL
    assert "--interface" in capsys.readouterr().err


def cluster_words(*, kubeconfig: Path | None, plugin: bool) -> argparse.Namespace:
    return argparse.Namespace(kubeconfig=kubeconfig, context="", plugin=plugin)


def test_a_cluster_that_was_named_must_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    config.write_text("current-context: x\n")
    code = observe_command(
        *("10.1.1.7", "", 0.1, None, tmp_path, "table"), cluster=cluster_words(kubeconfig=config, plugin=False)
    )
    assert (code, "has no context 'x'" in capsys.readouterr().err) == (exits.CANNOT_TELL, True)


def test_one_that_just_happens_to_be_there_need_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text("current-context: x\n")
    monkeypatch.setenv("KUBECONFIG", str(config))
    words = cluster_words(kubeconfig=None, plugin=False)
    # TEST-NET-3 (RFC 5737) is on nobody's LAN: it got as far as to look for an interface.
    assert observe_command("203.0.113.7", "", 0.1, None, tmp_path, "table", cluster=words) == exits.CANNOT_TELL
    said = capsys.readouterr().err
    assert "the cluster says nothing of it: kubeconfig" in said
    assert "--interface" in said
    # Only the cluster knows names.
    assert observe_command("erp", "", 0.1, None, tmp_path, "table", cluster=words) == exits.USAGE
