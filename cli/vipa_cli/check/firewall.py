"""Does a rule of this machine's firewall stop what an agent lives on? ARP, neighbour discovery, heartbeats."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from vipa_agent.settings import DEFAULT_PORT
from vipa_cli.check.finding import Finding, Level, fail, ok, warn
from vipa_cli.check.ruleset import Chain, Ruleset
from vipa_cli.check.verdict import Fate, Packet, fate

_CHECK: Final = "firewall"
_SILENT: Final = "clients hear no answer, or this node none: virtual IPs here are not served, or never claimed"
_DEAF: Final = "other nodes take this one for dead, or this one them"
_BRIDGE_HOOKS: Final = ("prerouting", "input", "output", "postrouting")
_ALLOW_ND: Final = "let it in and out: icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"


def firewall(
    rules: Ruleset, nics: Sequence[str], vips: Sequence[str], *, has6: bool, wanted6: bool, bridges: bool
) -> list[Finding]:
    """``nics``: the adapters that serve; ``vips``: IPv4 virtual IPs, where known; ``has6``: this machine has IPv6
    addresses; ``wanted6``: there are IPv6 virtual IPs; ``bridges``: one of the adapters is a bridge."""
    found = [each for nic in nics for each in _on(rules, nic, vips, bridges=bridges)]
    if has6 or wanted6:
        found += [each for nic in nics for each in _discovery(rules, nic, fail if wanted6 else warn)]
    # One chain may stop several packets, on several adapters: once is enough.
    first = {(each.found, each.level): each for each in found}
    return list(first.values()) or [ok(_CHECK, "lets ARP, neighbour discovery and heartbeats through")]


def _on(rules: Ruleset, nic: str, vips: Sequence[str], *, bridges: bool) -> Iterator[Finding]:
    for address in vips or [""]:
        asked, answer = _arp(nic, "request", address), _arp(nic, "reply", address)
        yield from _judge(rules, ("arp",), ("input",), asked, "ARP that comes in", _SILENT)
        yield from _judge(rules, ("arp",), ("output",), answer, "ARP that goes out", _SILENT)
        yield from _judge(rules, ("netdev",), ("ingress",), asked, "ARP that comes in", _SILENT, nic)
        yield from _judge(rules, ("netdev",), ("egress",), answer, "ARP that goes out", _SILENT, nic)
        if bridges:
            yield from _judge(rules, ("bridge",), _BRIDGE_HOOKS, _arp("", "", address), "ARP on a bridge", _SILENT)
    beat = _beat(nic)
    yield from _judge(rules, ("netdev",), ("ingress", "egress"), beat, f"heartbeats, UDP {DEFAULT_PORT}", _DEAF, nic)


def _discovery(rules: Ruleset, nic: str, verdict: Callable[..., Finding]) -> Iterator[Finding]:
    ways = ((("prerouting", "input"), "solicit", "comes in"), (("output", "postrouting"), "advert", "goes out"))
    for hooks, kind, way in ways:
        for chain in rules.hooked(("ip6", "inet"), hooks):
            if fate(rules, chain, _nd(nic, kind)) is Fate.DROPPED:
                found = f"{chain} drops IPv6 neighbour discovery that {way}"
                yield verdict(_CHECK, found, _ALLOW_ND, "nobody finds this machine's IPv6 addresses, virtual ones too")


def _judge(
    rules: Ruleset, families: Sequence[str], hooks: Sequence[str], packet: Packet, what: str, effect: str, nic: str = ""
) -> Iterator[Finding]:
    for chain in rules.hooked(families, hooks):
        if nic and chain.devices and nic not in chain.devices:
            continue
        end = fate(rules, chain, packet)
        remedy = f"except it there; nft list chain {chain} shows the rules"
        if end is Fate.DROPPED:
            yield fail(_CHECK, f"{chain} drops {what}", remedy, effect)
        elif end is Fate.EITHER and _speaks_of(chain, packet):
            yield warn(_CHECK, f"{chain} may drop {what}", remedy, effect)


def _speaks_of(chain: Chain, packet: Packet) -> bool:
    """Rules written for just this kind of packet. Of all others that hang on what is not known here nothing is said:
    every firewall has some."""
    named = chain.family == "arp" or any('"arp"' in json.dumps(rule) for rule in chain.rules)
    return named and "arp" in packet.protocols


def _arp(nic: str, operation: str, address: str) -> Packet:
    facts: dict[str, tuple[object, ...]] = {
        "ether.type": ("arp", 0x0806),
        "meta.protocol": ("arp", 0x0806),
        "arp.htype": (1,),
        "arp.ptype": ("ip", 0x0800),
        "arp.hlen": (6,),
        "arp.plen": (4,),
    }
    if operation:
        facts["arp.operation"] = (operation, 1 if operation == "request" else 2)
    if nic:
        facts["meta.iifname" if operation == "request" else "meta.oifname"] = (nic,)
    if address:
        facts["arp.daddr ip" if operation == "request" else "arp.saddr ip"] = (address,)
    return Packet(frozenset({"ether", "arp"}), facts)


def _beat(nic: str) -> Packet:
    port = (DEFAULT_PORT,)
    facts: dict[str, tuple[object, ...]] = {
        "ether.type": ("ip", 0x0800),
        "meta.protocol": ("ip", 0x0800),
        "meta.l4proto": ("udp", 17),
        "ip.protocol": ("udp", 17),
        "udp.dport": port,
        "udp.sport": port,
        "th.dport": port,
        "th.sport": port,
        "meta.iifname": (nic,),
        "meta.oifname": (nic,),
    }
    return Packet(frozenset({"ether", "ip", "udp", "th"}), facts)


def _nd(nic: str, kind: str) -> Packet:
    number = 135 if kind == "solicit" else 136
    facts: dict[str, tuple[object, ...]] = {
        "meta.protocol": ("ip6", 0x86DD),
        "meta.nfproto": ("ipv6", 10),
        "meta.l4proto": ("ipv6-icmp", "icmpv6", 58),
        "ip6.nexthdr": ("ipv6-icmp", "icmpv6", 58),
        "ip6.hoplimit": (255,),
        "icmpv6.type": (f"nd-neighbor-{kind}", number),
        "icmpv6.code": ("no-route", 0),
        # net/netfilter/nf_conntrack_proto_icmpv6.c: neighbour discovery is not tracked.
        "ct.state": ("untracked",),
        "meta.iifname" if kind == "solicit" else "meta.oifname": (nic,),
    }
    return Packet(frozenset({"ether", "ip6", "icmpv6"}), facts)


def not_read(why: str) -> Finding:
    """When the rules could not be had."""
    return Finding(_CHECK, Level.UNKNOWN, f"the rules cannot be read: {why}", "run as root")
