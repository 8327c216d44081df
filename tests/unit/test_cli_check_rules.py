"""What other people's rules do to packets and marks, as read from nftables' JSON and iptables' own words."""

import json
from dataclasses import replace
from ipaddress import ip_interface
from typing import Any

import pytest

from vipa_cli.check import marks
from vipa_cli.check.finding import Level
from vipa_cli.check.firewall import firewall
from vipa_cli.check.lan import adapters
from vipa_cli.check.machine import Bound, Link, Machine, Rule
from vipa_cli.check.ruleset import Ruleset, parse

META_MARK = {"meta": {"key": "mark"}}
NS_ONLY = {
    "match": {"op": "==", "left": {"payload": {"protocol": "icmpv6", "field": "type"}}, "right": "nd-neighbor-solicit"}
}
ND = {"match": {**NS_ONLY["match"], "right": {"set": ["nd-neighbor-solicit", "nd-neighbor-advert"]}}}
IS_ARP = {"match": {"op": "==", "left": {"payload": {"protocol": "ether", "field": "type"}}, "right": "arp"}}


def rules(family: str, hook: str, *lists: list[dict[str, Any]], policy: str = "accept", more: str = "") -> Ruleset:
    """A base chain "base" with these rules; those of the list named ``more``, the last, are a chain of that name."""
    chain = {"family": family, "table": "t", "name": "base", "hook": hook, "policy": policy}
    made: list[dict[str, Any]] = [{"metainfo": {}}, {"chain": chain}]
    if more:
        made.append({"chain": {"family": family, "table": "t", "name": more}})
    for number, expressions in enumerate(lists, 1):
        name = more if more and number == len(lists) else "base"
        made.append({"rule": {"family": family, "table": "t", "chain": name, "expr": expressions}})
    return parse(json.dumps({"nftables": made}))


def level(made: Ruleset, vips: list[str] | None = None) -> Level:
    found = firewall(made, ["eth1"], vips or [], has6=True, wanted6=True, bridges=False)
    return max((each.level for each in found), key=[Level.OK, Level.WARN, Level.FAIL].index)


def meta(key: str, right: object, operator: str = "==") -> dict[str, Any]:
    return {"match": {"op": operator, "left": {"meta": {"key": key}}, "right": right}}


def on_arp(field: str, right: object) -> dict[str, Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": "arp", "field": field}}, "right": right}}


DROP: dict[str, Any] = {"drop": None}
ACCEPT: dict[str, Any] = {"accept": None}
IN6 = ("ip6", "input")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (rules(*IN6, policy="drop"), Level.FAIL),
        (rules(*IN6, [ND, ACCEPT], policy="drop"), Level.OK),
        (rules(*IN6, [meta("l4proto", 58), ACCEPT], policy="drop"), Level.OK),
        (rules(*IN6, [meta("l4proto", "tcp"), ACCEPT], policy="drop"), Level.FAIL),
        (rules(*IN6, [meta("iifname", "eth1"), ACCEPT], policy="drop"), Level.OK),
        (rules(*IN6, [meta("iifname", "lo"), ACCEPT], policy="drop"), Level.FAIL),
        (rules(*IN6, [meta("iifname", "eth1", "!="), DROP]), Level.OK),
        # what depends on what is not known is no alarm
        (rules(*IN6, [{"xt": {"type": "match", "name": "icmp6"}}, ACCEPT], policy="drop"), Level.OK),
        (rules(*IN6, [meta("skuid", 0), DROP]), Level.OK),
        (rules(*IN6, [{"limit": {"rate": 10}}, ACCEPT], policy="drop"), Level.OK),
        (rules(*IN6, [{"xt": {"type": "target", "name": "REJECT"}}]), Level.FAIL),
        # chains
        (rules(*IN6, [{"jump": {"target": "m"}}], [ND, ACCEPT], policy="drop", more="m"), Level.OK),
        (rules(*IN6, [{"jump": {"target": "m"}}], [ND, {"return": None}], policy="drop", more="m"), Level.FAIL),
        (rules(*IN6, [{"goto": {"target": "m"}}], [ACCEPT], [NS_ONLY, DROP], more="m"), Level.FAIL),
        (rules(*IN6, [meta("skuid", 0), {"jump": {"target": "m"}}], [DROP], more="m"), Level.OK),
        (rules(*IN6, [{"jump": {"target": "base"}}], policy="drop"), Level.FAIL),
        # after a jump it goes on, after a goto it does not
        (
            rules(*IN6, [{"jump": {"target": "m"}}], [ACCEPT], [meta("l4proto", 6), DROP], policy="drop", more="m"),
            Level.OK,
        ),
        (
            rules(*IN6, [{"goto": {"target": "m"}}], [ACCEPT], [meta("l4proto", 6), DROP], policy="drop", more="m"),
            Level.FAIL,
        ),
        # maps of verdicts
        (
            rules(
                *IN6,
                [
                    {
                        "vmap": {
                            "key": {"meta": {"key": "l4proto"}},
                            "data": {"set": [["ipv6-icmp", ACCEPT], ["tcp", DROP]]},
                        }
                    }
                ],
                policy="drop",
            ),
            Level.OK,
        ),
        (rules(*IN6, [{"vmap": {"key": {"meta": {"key": "l4proto"}}, "data": "@named"}}], policy="drop"), Level.OK),
        # conntrack knows nothing of neighbour discovery
        (
            rules(
                *IN6,
                [
                    {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}},
                    ACCEPT,
                ],
                policy="drop",
            ),
            Level.FAIL,
        ),
        (
            rules(
                *IN6, [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}}, ACCEPT], policy="drop"
            ),
            Level.FAIL,
        ),
        # what is about other protocols does not meet it
        (
            rules(
                "inet",
                "input",
                [
                    {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}},
                    ACCEPT,
                ],
                policy="drop",
            ),
            Level.FAIL,
        ),
        (rules("inet", "input", [meta("nfproto", "ipv4"), DROP]), Level.OK),
        (rules("inet", "forward", policy="drop"), Level.OK),
        (rules("ip", "input", policy="drop"), Level.OK),
    ],
)
def test_neighbour_discovery_and_rules(made: Ruleset, expected: Level) -> None:
    assert level(made) is expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (rules("arp", "input", [on_arp("operation", "request"), DROP]), Level.FAIL),
        (rules("arp", "output", [on_arp("operation", "request"), DROP]), Level.OK),
        (rules("arp", "output", [on_arp("operation", "reply"), DROP]), Level.FAIL),
        (rules("arp", "input", [on_arp("daddr ip", "10.1.1.7"), DROP]), Level.FAIL),
        (rules("arp", "input", [on_arp("daddr ip", "10.1.1.8"), DROP]), Level.OK),
        (rules("arp", "input", [on_arp("saddr ip", "10.1.1.8"), DROP]), Level.WARN),
        (rules("netdev", "egress", [IS_ARP, DROP]), Level.FAIL),
        (rules("netdev", "ingress", [meta("protocol", {"set": ["arp", "ip"]}), DROP]), Level.FAIL),
        (rules("netdev", "ingress", [{"limit": {"rate": 1}}, DROP]), Level.OK),
        (rules("netdev", "ingress", [IS_ARP, {"limit": {"rate": 1}}, DROP]), Level.WARN),
    ],
)
def test_arp_and_rules(made: Ruleset, expected: Level) -> None:
    assert level(made, ["10.1.1.7"]) is expected


def test_heartbeats_and_rules_of_adapters() -> None:
    on_port = {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 7117}}
    made = rules("netdev", "ingress", [on_port, DROP])
    (finding,) = firewall(made, ["eth1"], [], has6=False, wanted6=False, bridges=False)
    assert finding.found == "netdev t base drops heartbeats, UDP 7117"
    listed = json.dumps({"nftables": [{"chain": {"family": "netdev", "table": "t", "name": "c", "hook": "egress"}}]})
    for text in ('device "eth9"', "devices = { eth8, eth9 }"):
        (chain,) = parse(
            listed, f"table netdev t {{\n\tchain c {{\n\t\ttype filter hook egress {text} priority 0;"
        ).chains.values()
        assert chain.devices[-1] == "eth9"


def test_vipas_own_tables_are_passed_over() -> None:
    listed = {
        "nftables": [{"chain": {"family": "arp", "table": "vipa", "name": "in", "hook": "input", "policy": "drop"}}]
    }
    assert parse(json.dumps(listed)).chains == {}


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        (1, 0xFFFFFFFF),
        (META_MARK, 0),
        ({"|": [META_MARK, 0x4000]}, 0x4000),
        ({"|": [{"&": [META_MARK, 0xFF00FFFF]}, 0x100000]}, 0x00FF0000),
        ({"^": [{"&": [META_MARK, 0xFFFF0FFF]}, 0x12]}, 0xF012),
        ({"ct": {"key": "mark"}}, 0xFFFFFFFF),
        ({"&": [{"ct": {"key": "mark"}}, 0xFF]}, 0xFFFFFFFF),
        ({"|": [META_MARK, {"&": [{"ct": {"key": "mark"}}, 0xFF]}]}, 0xFF),
    ],
)
def test_bits_that_a_rule_changes(value: object, bits: int) -> None:
    assert marks.changed(value) == bits


def test_marks_of_iptables() -> None:
    saved = """*mangle
-A PREROUTING -j MARK --set-xmark 0x1/0xffffffff
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A PREROUTING -j MARK --set-xmark 0x200000/0x0
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000
-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A PREROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff
"""
    assert [line.split()[-1] for line in marks.read_iptables(saved)] == ["0x1/0xffffffff", "0x200000/0x0", "0xff0000"]


def machine(*links: Link, rules: tuple[Rule, ...] = (), **own: str) -> Machine:
    return Machine(links, tuple(Bound(name, ip_interface(address)) for name, address in own.items()), rules)


ETH1, ETH2 = Link(1, "eth1", "02:00:00:00:00:01", 1500), Link(2, "eth2", "02:00:00:00:00:02", 1500)
FOREIGN = (
    Rule(4, 9, 1, 0x100, 0xFFFFFFFF),
    Rule(4, 100, 1, 0x4000, 0x4000),
    Rule(6, 7117, 1, 0x100000, 0xF00000, ours=True),
)


def test_only_rules_on_our_bits_matter_and_only_where_replies_are_steered() -> None:
    (alone,) = marks.judge(machine(ETH1, ETH2, rules=FOREIGN, eth1="10.1.1.4/24", eth2="10.1.2.5/24"), ())
    assert alone.level is Level.OK
    (finding,) = marks.judge(machine(ETH1, ETH2, rules=FOREIGN, eth1="10.1.1.4/24", eth2="10.1.1.5/24"), ())
    assert finding.level is Level.WARN
    assert finding.found.endswith(": 0x100/0xffffffff (IPv4, priority 9)")


def test_parts_of_one_adapter_may_share_a_mac() -> None:
    vlan = Link(3, "eth1_5", ETH1.mac, 1500, "vlan", parent=1)
    (other_lan,) = adapters(machine(ETH1, vlan, eth1="10.1.1.4/24", eth1_5="10.5.1.4/24"), ())
    (same_lan,) = adapters(machine(ETH1, vlan, eth1="10.1.1.4/24", eth1_5="10.1.1.5/24"), ())
    first = replace(vlan, name="a5")
    (same_lan_first,) = adapters(machine(ETH1, first, eth1="10.1.1.4/24", a5="10.1.1.5/24"), ())
    assert other_lan.level is same_lan.level is same_lan_first.level is Level.OK
    (another,) = adapters(machine(ETH1, replace(ETH2, mac=ETH1.mac), eth1="10.1.1.4/24", eth2="10.1.1.5/24"), ())
    assert another.level is Level.FAIL


def test_bridges_of_containers_and_tunnels_are_no_lans() -> None:
    inner, outer = (
        Link(3, "docker0", "02:00:00:00:00:03", 1500, "bridge"),
        Link(4, "br0", "02:00:00:00:00:04", 1500, "bridge"),
    )
    ports = (
        Link(5, "veth5", "02:00:00:00:00:05", 1500, "veth", master=3),
        Link(6, "eth6", "02:00:00:00:00:04", 1500, master=4),
    )
    tunnel = Link(7, "flannel.1", "02:00:00:00:00:07", 1450, "vxlan")
    found = machine(inner, outer, *ports, tunnel, docker0="172.17.0.1/16", br0="10.1.1.4/24").own()
    assert found == {"br0": ["10.1.1.4/24"]}


def test_a_host_without_any_cable_serves_nothing() -> None:
    dark = Link(1, "eth1", ETH1.mac, 1500, carrier=False)
    (one,) = adapters(machine(dark, ETH2, eth1="10.1.1.4/24", eth2="10.1.1.5/24"), ())
    (all_,) = adapters(machine(dark, eth1="10.1.1.4/24"), ())
    assert (one.level, all_.level) == (Level.WARN, Level.FAIL)
