"""What ``vipa check`` says of FRR, out of what bgpd shows."""

import json
from pathlib import Path

from vipa_cli.check.finding import Level
from vipa_cli.check.frr import frr, judge

INSTANCE = "router bgp 65001\n bgp router-id 10.1.1.4\nexit\n"
UP = {"bgpState": "Established", "hostLocal": "10.1.1.4", "addressFamilyInfo": {"ipv4Unicast": {}}}
NO_POLICY = {"updateGroupId": 2, "outboundEbgpRequiresPolicy": "Outbound updates discarded due to missing policy"}


def said(configuration: str, neighbours: object) -> list[tuple[Level, str]]:
    return [(each.level, each.found) for each in judge(configuration, json.dumps(neighbours))]


def test_a_machine_without_bgpd_is_not_spoken_of(tmp_path: Path) -> None:
    assert frr(tmp_path) == []


def test_bgpd_that_should_run_and_does_not(tmp_path: Path) -> None:
    (tmp_path / "etc/frr").mkdir(parents=True)
    (tmp_path / "etc/frr/daemons").write_text("bgpd=yes\nospfd=no\n")
    (finding,) = frr(tmp_path)
    assert finding.level is Level.WARN
    assert "does not run" in finding.found


def test_all_is_well() -> None:
    assert said(INSTANCE, {"10.1.1.1": UP}) == [(Level.OK, "AS 65001, 1 sessions are up")]


def test_what_keeps_routers_from_hearing() -> None:
    assert said("router bgp 65001 vrf red\nexit\n", {}) == [(Level.WARN, "no 'router bgp' in the default VRF")]
    assert said(INSTANCE, {}) == [(Level.WARN, "bgpd has no neighbor")]
    assert said(INSTANCE, {"10.1.1.1": {"bgpState": "Active"}}) == [(Level.WARN, "the session with 10.1.1.1 is Active")]
    unasked = {key: text for key, text in NO_POLICY.items() if key != "updateGroupId"}
    assert said(INSTANCE, {"10.1.1.1": {**UP, "addressFamilyInfo": {"ipv6Unicast": unasked}}})[0][0] is Level.OK
    strict = {**UP, "addressFamilyInfo": {"ipv4Unicast": NO_POLICY, "ipv6Unicast": NO_POLICY}}
    (finding,) = judge(INSTANCE, json.dumps({"10.1.1.1": strict}))
    assert finding.found == "10.1.1.1 is sent no IPv4 and IPv6: no policy lets it out"
    unchecked = INSTANCE.replace("exit", " no bgp network import-check\nexit")
    assert said(unchecked, {"10.1.1.1": UP})[0] == (Level.WARN, "'no bgp network import-check' is set")
