"""``vipa check --manifests`` where there are guests behind a bridge."""

import json
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from vipa_cli.check import guests
from vipa_cli.check.finding import Finding, Level
from vipa_cli.check.machine import Bound, Link, Machine
from vipa_cli.check.ruleset import Ruleset, parse
from vipa_cli.check.vips import load

BRIDGE = Link(2, "br0", "02:00:00:00:00:02", 1500, "bridge")
FORWARDS = {"all": {"forwarding": 1}}
GUEST = """
apiVersion: vipa.dev/v1alpha1
kind: VirtualIP
metadata: {{name: guest}}
spec:
  addresses: [{addresses}]
  attachment: {{type: VirtualEthernet, bridge: br0}}
  preferredInterfaceList: uplinks
---
apiVersion: vipa.dev/v1alpha1
kind: VirtualIP
metadata: {{name: own}}
spec: {{addresses: [10.1.1.7], preferredInterfaceList: uplinks}}
---
apiVersion: vipa.dev/v1alpha1
kind: PreferredInterfaceList
metadata: {{name: uplinks}}
spec: {{interfaces: [{{address: 10.1.1.4}}]}}
"""


def rules(family: str = "inet", policy: str = "accept", *expressions: list[dict[str, Any]]) -> Ruleset:
    chain = {"family": family, "table": "filter", "name": "forward", "hook": "forward", "policy": policy}
    of = {"family": family, "table": "filter", "chain": "forward"}
    made = [{"metainfo": {}}, {"chain": chain}, *({"rule": {**of, "expr": expr}} for expr in expressions)]
    return parse(json.dumps({"nftables": made}))


def by(key: str, name: str) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"meta": {"key": key}}, "right": name}}


@pytest.fixture
def check(tmp_path: Path) -> Any:  # noqa: ANN401 - a function of what differs
    def findings(
        addresses: str = "10.1.1.21",
        bridge: Link | None = BRIDGE,
        forwarding: int = 1,
        ruleset: Ruleset | None = None,
    ) -> list[Finding]:
        manifest = tmp_path / "guest.yaml"
        manifest.write_text(GUEST.format(addresses=addresses))
        links = (Link(1, "eth1", "02:00:00:00:00:01", 1500), *((bridge,) if bridge else ()))
        here = Machine(links, (Bound("eth1", ip_interface("10.1.1.4/24")),))
        return guests.judge(here, {"all": {"forwarding": forwarding}}, ruleset, ["eth1"], load(manifest).vips)

    return findings


def test_all_is_well(check: Any) -> None:  # noqa: ANN401
    let_through = rules(
        "ip", "drop", [by("iifname", "br0"), {"accept": None}], [by("oifname", "br0"), {"accept": None}]
    )
    for found in (check(), check("10.1.1.21, 'fd00:1::21'"), check(forwarding=0), check(ruleset=let_through)):
        assert [(each.check, each.level) for each in found] == [("guests", Level.OK)]


def test_nothing_is_said_without_guests(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(GUEST.format(addresses="10.1.1.21").partition("---\n")[2])
    assert guests.judge(Machine((), ()), FORWARDS, None, ["eth1"], load(own).vips) == []


def test_a_bridge_that_is_not_there_or_down(check: Any) -> None:  # noqa: ANN401
    assert [(f.level, f.found) for f in check(bridge=None)] == [(Level.WARN, "there is no interface br0")]
    down = Link(2, "br0", BRIDGE.mac, 1500, "bridge", up=False)
    assert [(f.level, f.found, f.remedy) for f in check(bridge=down)] == [
        (Level.FAIL, "br0 is down", "ip link set br0 up")
    ]


def test_ipv6_guests_need_forwarding_and_the_file_is_named(check: Any) -> None:  # noqa: ANN401
    (found,) = check("10.1.1.21, 'fd00:1::21'", forwarding=0)
    assert (found.level, found.found.partition(",")[0]) == (Level.FAIL, "net.ipv6.conf.all.forwarding is 0")
    assert "NotForwarding" in found.effect
    assert [file.path for file in found.write] == ["/etc/sysctl.d/50-vipa-guests.conf"]
    assert "net.ipv6.conf.all.forwarding = 1" in found.write[0].content


def test_a_firewall_that_drops_what_is_passed_on(check: Any) -> None:  # noqa: ANN401
    docker = rules("ip", "drop", [by("iifname", "docker0"), {"accept": None}])
    (found,) = check(ruleset=docker)
    assert (found.level, "drops what is passed on between eth1 and br0" in found.found) == (Level.FAIL, True)
    one_way = rules("inet", "drop", [by("iifname", "br0"), {"accept": None}])
    assert [f.level for f in check(ruleset=one_way)] == [Level.FAIL]
