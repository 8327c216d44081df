"""The pre-flight's judgements, and the whole of it once on this machine."""

import json
from pathlib import Path

import pytest

from vipa_cli import exits
from vipa_cli.check import clock, kernel, others, settings
from vipa_cli.check.command import check_command
from vipa_cli.check.finding import Finding, Level
from vipa_cli.check.trial import FENCE, GATE, NOT_TRIED

TWO_NICS = {"eth1": ["10.1.1.4/24"], "eth2": ["10.1.1.5/24"], "eth3": ["10.9.9.9/24"]}


def levels(addresses: dict[str, list[str]], everywhere: dict[str, int], **nics: dict[str, int]) -> dict[str, Level]:
    quiet = {"arp_ignore": 0, "arp_filter": 0, "rp_filter": 0, "promote_secondaries": 0}
    values = {"all": quiet | everywhere, "default": quiet, "lo": quiet}
    values |= {name: quiet | nics.get(name, {}) for name in addresses}
    return {finding.check: finding.level for finding in settings.sysctls(values, addresses)}


def test_a_plain_machine_is_fine() -> None:
    assert set(levels(TWO_NICS, {}).values()) == {Level.OK}


@pytest.mark.parametrize(("value", "level"), [(0, Level.OK), (1, Level.OK), (2, Level.WARN), (8, Level.FAIL)])
def test_arp_ignore(value: int, level: Level) -> None:
    assert levels(TWO_NICS, {"arp_ignore": value})["arp_ignore"] is level
    assert levels(TWO_NICS, {}, eth2={"arp_ignore": value})["arp_ignore"] is level


def test_arp_filter_hurts_only_where_interfaces_share_a_lan() -> None:
    assert levels(TWO_NICS, {}, eth3={"arp_filter": 1})["arp_filter"] is Level.OK
    assert levels(TWO_NICS, {}, eth2={"arp_filter": 1})["arp_filter"] is Level.FAIL
    assert levels(TWO_NICS, {"arp_filter": 1})["arp_filter"] is Level.FAIL


def test_secondaries_are_at_risk_only_where_there_are_any() -> None:
    two = {"eth1": ["10.1.1.4/24", "10.1.1.9/24"]}
    assert levels(two, {})["promote_secondaries"] is Level.WARN
    assert levels(two, {}, eth1={"promote_secondaries": 1})["promote_secondaries"] is Level.OK
    assert levels({"eth1": ["10.1.1.4/24", "10.1.1.7/32"]}, {})["promote_secondaries"] is Level.OK


def test_strict_reverse_path_filtering_is_no_trouble() -> None:
    assert levels(TWO_NICS, {"rp_filter": 1})["rp_filter"] is Level.OK


def test_each_failed_trial_has_a_remedy() -> None:
    good, bad = kernel.judge_trials({GATE: "", FENCE: "No such file"}, "5.10.0")
    assert (good.level, bad.level) == (Level.OK, Level.FAIL)
    assert "5.16" in bad.remedy
    (untried,) = kernel.judge_trials({NOT_TRIED: "not permitted"}, "5.10.0")
    assert untried.level is Level.WARN


@pytest.mark.parametrize(
    ("capabilities", "missing"),
    [("0000000000003000", ()), ("0000000000001000", ("NET_RAW",)), ("0", ("NET_ADMIN", "NET_RAW"))],
)
def test_rights(tmp_path: Path, capabilities: str, missing: tuple[str, ...]) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapEff:\t{capabilities}\n")
    finding = kernel.rights(status)
    assert finding.level is (Level.FAIL if missing else Level.OK)
    assert all(name in finding.found for name in missing)


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    return finding


def test_other_managers_are_named() -> None:
    assert only(others.managers({"bash"}, "")).level is Level.OK
    assert only(others.managers({"bash", "keepalived"}, "")).check == "keepalived"


def test_networkd_may_stay_when_it_leaves_the_foreign_alone() -> None:
    assert only(others.managers({"systemd-network"}, "")).level is Level.WARN
    half = only(others.managers({"systemd-network"}, "[Network]\nManageForeignRoutes=no\n"))
    assert half.level is Level.WARN
    assert "ManageForeignRoutes=no" not in half.remedy
    both = "ManageForeignRoutes=no\nManageForeignRoutingPolicyRules = false\n"
    assert only(others.managers({"systemd-network"}, both)).level is Level.OK


def test_the_last_word_of_networkd_counts(tmp_path: Path) -> None:
    etc, usr = tmp_path / "etc", tmp_path / "usr"
    for folder, word in ((etc, "no"), (usr, "yes")):
        folder.mkdir()
        (folder / "networkd.conf").write_text(f"ManageForeignRoutes={word}")
    assert others.networkd_conf([etc, usr]).splitlines()[-1] == "ManageForeignRoutes=no"


def test_only_rules_on_our_bits_matter() -> None:
    kube_proxy, ours = others.MarkRule(100, 0x4000, 0x4000), others.MarkRule(7117, 0x100000, 0x00F00000)
    assert others.marks([kube_proxy, ours]).level is Level.OK
    assert others.marks([others.MarkRule(9, 0x100, 0xFFFFFFFF)]).level is Level.WARN


def test_programs_of_this_network_are_seen() -> None:
    assert Path("/proc/self/comm").read_text().strip() in others.commands()


@pytest.mark.parametrize(("late_ms", "level"), [(3.0, Level.OK), (25.0, Level.WARN)])
def test_punctuality(late_ms: float, level: Level) -> None:
    assert clock.judge_wakes(late_ms).level is level


def test_a_coarse_clock_is_said(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_text("jiffies\n")
    assert clock.source(path).level is Level.WARN


def test_the_whole_check_runs_for_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    code = check_command("json")
    findings = json.loads(capsys.readouterr().out)
    assert code == (exits.NOT_GOOD if any(f["level"] == "fail" for f in findings) else exits.GOOD)
    assert {"rights", "arp_ignore", "clock", "punctuality"} <= {f["check"] for f in findings}
    assert all(f["remedy"] for f in findings if f["level"] != "ok")
    assert check_command("table") == code
    assert "punctuality" in capsys.readouterr().out
