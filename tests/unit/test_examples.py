"""Every example is planned, and says what its comments promise; the command's exit codes and output."""

import io
import json
from pathlib import Path

import pytest

from vipa_cli.plan import plan_command

EXAMPLES = Path(__file__).parents[2] / "examples"


def planned(capsys: pytest.CaptureFixture[str], *files: str) -> dict[str, list[str]]:
    assert plan_command(files, "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["refusals"] == answer["problems"] == []
    return {v["name"]: [e["address"] for e in v["succession"]] for v in answer["vips"]}


def test_there_is_no_example_without_a_test() -> None:
    names = {
        "ibm-i.yaml",
        "two-vips.yaml",
        "automatic.yaml",
        "dual-stack.yaml",
        "figure-1.yaml",
        "figure-3.yaml",
        "virtual-ethernet.yaml",
    }
    assert {p.name for p in EXAMPLES.glob("*.yaml")} == names


def test_ibm_i(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(capsys, str(EXAMPLES / "ibm-i.yaml")) == {"erp": ["10.1.1.4", "10.1.1.5", "10.1.1.6"]}


def test_figure_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(capsys, str(EXAMPLES / "figure-1.yaml")) == {"data-entry": ["10.1.1.4", "10.1.1.5", "10.1.1.6"]}


def test_two_vips(capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(capsys, str(EXAMPLES / "two-vips.yaml")) == {
        "web": ["10.1.1.4", "10.1.1.6"],
        "mail": ["10.1.1.6", "10.1.1.4"],
    }


def test_automatic(capsys: pytest.CaptureFixture[str]) -> None:
    orders = planned(capsys, str(EXAMPLES / "automatic.yaml"))
    assert set(orders["files"][:2]) == {"10.1.1.4", "10.1.1.5"}, "the machine with two adapters comes first"
    assert orders["files"][2:] == ["10.1.1.6"]
    assert orders["print"] == ["10.1.1.6", "10.1.1.5", "10.1.1.4"]


def test_dual_stack(capsys: pytest.CaptureFixture[str]) -> None:
    orders = planned(capsys, str(EXAMPLES / "dual-stack.yaml"))
    assert sorted(orders["shop"]) == ["10.2.1.4", "10.2.1.6"], "d3 has no IPv6"
    assert orders["mirror"] == ["fd00:2::6", "fd00:2::4"]


def test_figure_3(capsys: pytest.CaptureFixture[str]) -> None:
    order = planned(capsys, str(EXAMPLES / "figure-3.yaml"))["erp"]
    assert set(order[:2]) == {"10.1.1.4", "10.1.1.5"}, "the machine with two LAN connections answers ARP"
    assert order[2:] == ["10.1.1.6"]
    assert plan_command([str(EXAMPLES / "figure-3.yaml")], "json") == 0
    assert json.loads(capsys.readouterr().out)["vips"][0]["binding"] == "EveryCandidate"
    assert plan_command([str(EXAMPLES / "figure-3.yaml")]) == 0
    assert "every candidate" in capsys.readouterr().out


def test_virtual_ethernet(capsys: pytest.CaptureFixture[str]) -> None:
    orders = planned(capsys, str(EXAMPLES / "virtual-ethernet.yaml"))
    assert orders == {"guest-1": ["10.1.1.4", "10.1.1.5"], "guest-2": ["10.1.1.4", "10.1.1.5"]}
    assert plan_command([str(EXAMPLES / "virtual-ethernet.yaml")]) == 0
    assert "behind br0" in capsys.readouterr().out


def test_all_examples_are_one_good_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """But for the figures, which are one system each, with one address."""
    files = (str(p) for p in sorted(EXAMPLES.glob("*.yaml")) if not p.name.startswith("figure-"))
    assert len(planned(capsys, *files)) == 9


def test_the_table_shows_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert plan_command([str(EXAMPLES / "ibm-i.yaml")]) == 0
    out = capsys.readouterr().out
    assert out.index("1. 10.1.1.4") < out.index("2. 10.1.1.5") < out.index("3. 10.1.1.6")


def test_refusals_are_told_with_file_line_and_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (EXAMPLES / "ibm-i.yaml").read_text()
    bad = text.replace("10.1.1.7]", "10.1.1.700]").replace("name: ibm-i", "name: ibm-j")
    lines = bad.splitlines()
    line = next(i for i, found in enumerate(lines, 1) if "10.1.1.700]" in found)
    monkeypatch.setattr("sys.stdin", io.StringIO(bad))
    assert plan_command(["-"]) == 1
    out = capsys.readouterr().out
    assert "no virtual IP is accepted" in out
    assert f"standard input:{line}: spec.addresses[0]: 10.1.1.700: not an IPv4 address" in out
    assert "[Invalid]" in out

    monkeypatch.setattr("sys.stdin", io.StringIO(text.replace("name: ibm-i", "name: ibm-j")))
    assert plan_command(["-"]) == 1
    assert "VirtualIP erp is refused: there is no PreferredInterfaceList ibm-i" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "output", "message"),
    [([], "table", "no file given"), (["nowhere.yaml"], "table", "nowhere.yaml"), (["-"], "xml", "table or json")],
)
def test_usage_errors(capsys: pytest.CaptureFixture[str], files: list[str], output: str, message: str) -> None:
    assert plan_command(files, output) == 2
    assert message in capsys.readouterr().err
