"""The nft text that sets the tables up; pure. Every text is one transaction and may be applied again.

Sets are never flushed here: what is elected and alive survives an agent's restart and a change of devices.
Needs Linux 5.16 for the egress hook; written for nft 1.0.6, which cannot combine two registers (so marks are set by
one chain per interface, with constants).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from vipa_agent.kernel.errors import Unsupported

_QUOTABLE: Final = re.compile(r'[^"\\*]+')

_TYPES: Final = {"arp": "type ipv4_addr", "ip6": "typeof @th,64,128"}
"""Address part of a set: nft 1.0.6 has no name for the target of a neighbour solicitation, so the sets hold what stands
8 bytes into ICMPv6, and the sender of an IPv6 packet is compared as the 16 bytes that it is."""
_ALIVE: Final = "alive { type ifname; flags timeout; }"
_ARP_SETS: Final = (
    "set arp vipa own { type ipv4_addr . ifname; }",
    "map arp vipa nic { type ifname : verdict; }",
    "set arp vipa bridges { type ifname; }",
    "map arp vipa before { type ifname . mark : mark; }",
)
_ARP_IN: Final = (
    "iifname vmap @nic",
    # Only a request makes the kernel answer; replies to our own questions must get in on any interface.
    "arp operation != request accept",
    # What guests ask is the bridge's business: the node's own addresses, and LAN clients by proxy_arp.
    "iifname @bridges accept",
    "arp daddr ip . iifname @own accept",
    "arp daddr ip . iifname @elected iifname @alive accept",
    "arp daddr ip . iifname @steady accept",
    "arp daddr ip @guarded drop",
)
_ARP_OUT: Final = (
    # The kernel's own questions carry the VIP as sender when a reply from it has to be resolved. Where it is not served
    # (any more) that would move clients' caches; dropped, a lingering holder could not reach them: so rewrite.
    "arp saddr ip . oifname @elected oifname @alive accept",
    "arp saddr ip . oifname @steady accept",
    "arp saddr ip @vips arp saddr ip set oifname map @ifaddr",
)
_ICMPV6: Final = 58
"""By its number: nft looks names of protocols up in /etc/protocols, which small images do not have."""
_ND_IN: Final = (
    # First: "icmpv6 type != …" says nothing of what is not ICMPv6. Out, a datagram from a virtual IP would go on, and
    # as the hook still names the interface from before the route by mark, its sender would be rewritten.
    f"meta l4proto != {_ICMPV6} accept",
    "icmpv6 type != nd-neighbor-solicit accept",
    "@th,64,128 . iifname @elected iifname @alive accept",
    "@th,64,128 . iifname @steady accept",
    "@th,64,128 @guarded drop",
)
_ND_OUT: Final = (
    f"meta l4proto != {_ICMPV6} accept",
    "icmpv6 type != nd-neighbor-solicit accept",
    "@nh,64,128 . oifname @elected oifname @alive accept",
    "@nh,64,128 . oifname @steady accept",
    "@nh,64,128 @vips ip6 saddr set oifname map @ifaddr",  # as for ARP
)
_FENCE: Final = (
    "ether type ip6 jump fence6",
    "ether type != arp accept",
    "arp saddr ip . oifname @elected oifname @alive accept",
    "arp saddr ip . oifname @steady accept",
    "arp saddr ip @vips counter drop",
)
_ADVERT, _SOLICIT = "icmpv6 type nd-neighbor-advert @th,64,128", "icmpv6 type nd-neighbor-solicit @nh,64,128"
_FENCE6: Final = tuple(
    f"{what} {rule}"
    for what in (_ADVERT, _SOLICIT)
    for rule in (". oifname @elected6 oifname @alive accept", ". oifname @steady6 accept", "@vips6 counter drop")
)


def gate() -> str:
    """Tables ``arp vipa``, ``ip6 vipa`` and ``netdev vipa`` without devices."""
    lines = [f"add table {family} vipa" for family in ("arp", "ip6", "netdev")]
    lines += [f"add set {family} vipa {_ALIVE}" for family in ("arp", "ip6", "netdev")]
    for family, address in _TYPES.items():
        lines += [f"add set {family} vipa {text}" for text in _elections("", address)]
        lines += [
            f"add set {family} vipa guarded {{ {address}; }}",
            f"add set {family} vipa claims {{ {address}; flags timeout; }}",
        ]
    lines += [f"add {text}" for text in _ARP_SETS]
    lines += [
        "add map arp vipa ifaddr { type ifname : ipv4_addr; }",
        "add map ip6 vipa ifaddr { type ifname : ipv6_addr; }",
    ]
    lines += [f"add set netdev vipa {text}" for text in _elections("", _TYPES["arp"])]
    lines += [f"add set netdev vipa {text}" for text in _elections("6", _TYPES["ip6"])]
    for family, into, out in (("arp", _ARP_IN, _ARP_OUT), ("ip6", _ND_IN, _ND_OUT)):
        lines += _chain(f"{family} vipa in", "{ type filter hook input priority 0; policy accept; }", into)
        lines += _chain(f"{family} vipa out", "{ type filter hook output priority 0; policy accept; }", out)
    lines += _chain("netdev vipa fence6", "", _FENCE6)
    lines += _chain("netdev vipa fence", "", _FENCE)
    return "\n".join(lines)


def _elections(suffix: str, address: str) -> tuple[str, ...]:
    pair = f"{address} . iifname" if address.startswith("typeof") else f"{address} . ifname"
    return (
        f"elected{suffix} {{ {pair}; }}",
        f"steady{suffix} {{ {pair}; }}",
        f"vips{suffix} {{ {address}; }}",
    )


def devices(wanted: Mapping[int, str], present: Iterable[str], *, anew: bool = False) -> str:
    """One egress chain per device (ifindex → name) jumping to the fence, and deletion of the ``present`` chains that
    are no longer wanted. One chain each, named by ifindex: the others are never touched, and a re-created interface
    gets a new chain. ``anew``: the rules of those present
    too. Empty text when there is nothing to do. Raises Unsupported for a name nft cannot quote."""
    there = {name for name in present if name.startswith("out_")}
    names = {f"out_{index}": device for index, device in wanted.items()}
    lines: list[str] = []
    for chain, device in sorted(names.items()):
        if not _QUOTABLE.fullmatch(device):
            raise Unsupported(f"interface name {device!r}: quotes, backslashes and * cannot be given to nftables")
        if chain not in there:
            hook = f'{{ type filter hook egress device "{device}" priority 0; policy accept; }}'
            lines += _chain(f"netdev vipa {chain}", hook, ("jump fence",))
        elif anew:
            lines += [f"flush chain netdev vipa {chain}", f"add rule netdev vipa {chain} jump fence"]
    for chain in sorted(there - names.keys()):
        lines += [f"flush chain netdev vipa {chain}", f"delete chain netdev vipa {chain}"]
    return "\n".join(lines)


def marks(values: Mapping[int, int], mask: int, *, forwarded_replies: bool) -> str:
    """Table ``inet vipa`` and the chains ``mark_SLOT`` that set one interface's mark within ``mask``; other bits of the
    mark belong to others. ``forwarded_replies`` adds the conntrack chain for Services' pods."""
    lines = [
        "add table arp vipa",
        "add table inet vipa",
        "add set inet vipa local4 { type ipv4_addr; }",
        "add set inet vipa local6 { type ipv6_addr; }",
        "add set inet vipa switched_on { type ifname; }",
        "add set inet vipa bridges { type ifname; }",
        "add map inet vipa nic { type ifname : verdict; }",
        "add map inet vipa out4 { type ipv4_addr : verdict; }",
        "add map inet vipa out6 { type ipv6_addr : verdict; }",
    ]
    for slot, mark in sorted(values.items()):
        rule = (f"meta mark set meta mark & {~mask & 0xFFFFFFFF:#010x} | {mark:#010x}",)
        lines += _chain(f"arp vipa mark_{slot}", "", rule) + _chain(f"inet vipa mark_{slot}", "", rule)
    into = (
        "ip daddr @local4 iifname vmap @nic",
        "ip6 daddr @local6 iifname vmap @nic",
        # What guests send leaves as the node's own replies would; the way to them is found ahead of all marks.
        "iifname @bridges ip saddr vmap @out4",
        "iifname @bridges ip6 saddr vmap @out6",
    )
    lines += _chain("inet vipa pre", "{ type filter hook prerouting priority mangle; policy accept; }", into)
    out = ("ip saddr vmap @out4", "ip6 saddr vmap @out6")
    lines += _chain("inet vipa out", "{ type route hook output priority mangle; policy accept; }", out)
    if forwarded_replies:
        # A pod's reply bears the pod's address until conntrack rewrites it: go by the connection's first destination.
        reply = tuple(
            f"ct direction reply ct original {ip} daddr vmap @{out_map}"
            for ip, out_map in (("ip", "out4"), ("ip6", "out6"))
        )
        lines += _chain("inet vipa reply", "{ type filter hook prerouting priority mangle + 1; policy accept; }", reply)
    return "\n".join(lines)


def no_tables(families: Iterable[str]) -> str:
    """Delete table vipa of each family ("arp", "inet" …), there or not."""
    return "\n".join(f"add table {family} vipa\ndelete table {family} vipa" for family in families)


def _chain(name: str, hook: str, rules: Iterable[str]) -> list[str]:
    return [f"add chain {name} {hook}".rstrip(), f"flush chain {name}", *(f"add rule {name} {rule}" for rule in rules)]
