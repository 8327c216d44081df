"""The pre-flight's judgements, and the whole of it once on this machine."""

import json
from pathlib import Path

import pytest

from vipa_cli import exits
from vipa_cli.check import agentfiles, clock, kernel, others, room, settings
from vipa_cli.check.command import Options, check_command, exit_code
from vipa_cli.check.finding import Finding, Level, fail, ok, unknown, warn
from vipa_cli.check.trial import FENCE, GATE, NOT_TRIED

TWO_NICS = {"eth1": ["10.1.1.4/24"], "eth2": ["10.1.1.5/24"], "eth3": ["10.9.9.9/24"]}
QUIET4 = {"arp_ignore": 0, "arp_filter": 0, "rp_filter": 0, "promote_secondaries": 0}
QUIET6 = {"disable_ipv6": 0, "accept_dad": 1, "forwarding": 0, "accept_ra": 1, "drop_unsolicited_na": 0}


def levels(addresses: dict[str, list[str]], everywhere: dict[str, int], **nics: dict[str, int]) -> dict[str, Level]:
    values = {"all": QUIET4 | everywhere, "default": QUIET4, "lo": QUIET4}
    values |= {name: QUIET4 | nics.get(name, {}) for name in addresses}
    return {finding.check: finding.level for finding in settings.judge4(values, addresses)}


def levels6(everywhere: dict[str, int], *, wanted: bool = True, **nics: dict[str, int]) -> dict[str, Level]:
    own = {"eth1": ["fd00::4/64"], "eth2": ["fd00::5/64"]}
    values = {"all": QUIET6 | everywhere, "default": QUIET6} | {n: QUIET6 | nics.get(n, {}) for n in (*own, "docker0")}
    return {each.check: each.level for each in settings.judge6(values, list(own), own, ["eth1"], wanted=wanted)}


def test_a_plain_machine_is_fine() -> None:
    assert set(levels(TWO_NICS, {}).values()) == {Level.OK}
    assert set(levels6({}).values()) == {Level.OK}


@pytest.mark.parametrize(
    ("value", "level"), [(0, Level.OK), (1, Level.OK), (2, Level.WARN), (3, Level.FAIL), (4, Level.OK), (8, Level.FAIL)]
)
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


def test_ipv6_switched_off_matters_where_it_is_wanted() -> None:
    assert levels6({}, eth2={"disable_ipv6": 1})["disable_ipv6"] is Level.FAIL
    assert levels6({}, wanted=False, eth2={"disable_ipv6": 1})["disable_ipv6"] is Level.OK
    assert levels6({}, docker0={"disable_ipv6": 1})["disable_ipv6"] is Level.OK
    (none,) = settings.judge6({}, [], {}, (), wanted=True)
    assert (none.level, none.remedy) == (Level.FAIL, "boot without ipv6.disable=1")


def test_settings_by_which_ipv6_gets_lost() -> None:
    assert levels6({"accept_dad": 2})["accept_dad"] is Level.WARN
    assert "accept_dad" not in levels6({"accept_dad": 2}, wanted=False)
    assert levels6({}, eth1={"forwarding": 1})["accept_ra"] is Level.WARN
    assert "accept_ra" not in levels6({}, eth1={"forwarding": 1, "accept_ra": 2})
    assert "accept_ra" not in levels6({}, eth2={"forwarding": 1}), "its default route was not advertised"
    assert levels6({"drop_unsolicited_na": 1})["drop_unsolicited_na"] is Level.WARN


@pytest.mark.parametrize(
    ("most", "used", "vips", "bad"),
    [(1024, 8, 0, False), (512, 8, 0, True), (1024, 900, 0, True), (2048, 8, 2000, True)],
)
def test_room_for_neighbours(tmp_path: Path, most: int, used: int, vips: int, bad: bool) -> None:
    threshold = tmp_path / "sys/ipv4/neigh/default/gc_thresh3"
    threshold.parent.mkdir(parents=True)
    threshold.write_text(f"{most}\n")
    statistics = tmp_path / "net/stat/arp_cache"
    statistics.parent.mkdir(parents=True)
    statistics.write_text(f"entries  allocs\n{used:08x}  0000\n")
    (finding,) = room.room(vips, tmp_path / "sys", tmp_path / "net")
    assert finding.level is (Level.WARN if bad else Level.OK)
    assert f"{used:,} used" in finding.found


def test_room_for_routes_and_connections(tmp_path: Path) -> None:
    assert room.room(2000, tmp_path, tmp_path) == [], "what cannot be seen is passed over"
    for name, number in (("ipv6/route/max_size", 4096), ("netfilter/nf_conntrack_max", 1000)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(str(number))
    count = tmp_path / "netfilter/nf_conntrack_count"
    count.write_text("700")
    assert room.room(2000, tmp_path, tmp_path) == []
    count.write_text("800")
    assert [each.check for each in room.room(2049, tmp_path, tmp_path)] == ["IPv6 routes", "connections"]


def test_each_failed_trial_has_a_remedy() -> None:
    good, bad = kernel.judge_trials({GATE: "", FENCE: "No such file"}, "5.10.0")
    assert (good.level, bad.level) == (Level.OK, Level.FAIL)
    assert "5.16" in bad.remedy
    (untried,) = kernel.judge_trials({NOT_TRIED: "not permitted"}, "5.10.0")
    assert untried.level is Level.UNKNOWN


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


def test_other_managers_are_named(tmp_path: Path) -> None:
    assert only(others.managers({"bash"}, tmp_path, {})).level is Level.OK
    assert "keepalived runs" in only(others.managers({"bash", "keepalived"}, tmp_path, {})).found


def test_programs_of_this_network_are_seen() -> None:
    assert Path("/proc/self/comm").read_text().strip() in others.commands()


def test_a_state_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert agentfiles.state_dir(tmp_path / "a/b").level is Level.OK
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    assert agentfiles.state_dir(tmp_path / "file/vipa").level is Level.FAIL
    read_only = agentfiles.state_dir(Path("/proc/vipa"))
    assert read_only.level is Level.FAIL
    assert "/proc:" in read_only.found


@pytest.mark.parametrize(
    ("mode", "level"), [(0o600, Level.OK), (0o400, Level.OK), (0o604, Level.WARN), (0o620, Level.WARN)]
)
def test_a_key_is_nobody_elses(tmp_path: Path, mode: int, level: Level) -> None:
    path = tmp_path / "key"
    path.write_text("k1:0123456789abcdef0123456789abcdef\n")
    path.chmod(mode)
    finding = only(agentfiles.key_file(path))
    assert finding.level is level
    assert "0123456789abcdef" not in f"{finding}"


def test_a_key_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert "cannot read" in only(agentfiles.key_file(path)).found
    path.write_text("short")
    finding = only(agentfiles.key_file(path))
    assert (finding.level, "at least 16" in finding.found) == (Level.FAIL, True)


@pytest.mark.parametrize(("late_ms", "level"), [(3.0, Level.OK), (25.0, Level.WARN)])
def test_punctuality(late_ms: float, level: Level) -> None:
    assert clock.judge_wakes(late_ms).level is level


@pytest.mark.parametrize(("jumped_s", "count"), [(0.001, 0), (-0.04, 0), (3600.0, 1), (-1.0, 1)])
def test_a_jump_of_the_time_of_day_is_told(jumped_s: float, count: int) -> None:
    assert len(clock.judge_jump(jumped_s)) == count


def test_a_coarse_clock_is_said(tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_text("jiffies\n")
    assert clock.source(path).level is Level.WARN


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, maybe, dark = ok("a", "b"), fail("a", "b", "c"), warn("a", "b", "c"), unknown("a", "b", "c")
    assert exit_code([good, maybe]) == exits.GOOD
    assert exit_code([good, dark, maybe]) == exits.CANNOT_TELL
    assert exit_code([dark, bad]) == exits.NOT_GOOD
    assert check_command("json", Options(manifests=tmp_path / "nowhere")) == exits.USAGE
    assert "nowhere" in capsys.readouterr().err


def test_the_whole_check_runs_for_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    code = check_command("json", Options())
    findings = json.loads(capsys.readouterr().out)
    assert code == exit_code([Finding(**finding) for finding in findings])
    assert {"rights", "arp_ignore", "clock", "punctuality"} <= {f["check"] for f in findings}
    assert all(set(f) == {"check", "level", "found", "effect", "remedy", "write"} for f in findings)
    assert all(f["remedy"] for f in findings if f["level"] != "ok")
    assert all(f["effect"] for f in findings if f["level"] in ("warn", "fail"))
    documented = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    assert [f["check"] for f in findings if f"`{f['check']}`" not in documented] == []
    assert check_command("table", Options()) == code
    assert "punctuality" in capsys.readouterr().out
