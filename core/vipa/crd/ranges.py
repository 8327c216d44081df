"""Rules about the ranges of a pool. CEL knows which network holds an address, but not which of two addresses is lower;
so an address becomes three whole numbers, the highest part first: of IPv6 48, 48 and
32 bits; of IPv4 -1, -1 and all 32, so that it is below every one of IPv6.

The texts below are CEL, put together from expressions. ``[x].map(name, ...)[0]`` gives ``x`` a name: CEL has no "let".
"""

from collections.abc import Mapping
from typing import Final

from vipa.crd.rule import Rule

FROM_TO: Final = "(size({0}.split('-')) == 2 && {0}.split('-').all(end, isIP(end.trim())))"
RANGE: Final = f"(isCIDR({{0}}) || {FROM_TO})"
OF_A_HOST: Final = (
    "isIP(end.trim()) && ip.isCanonical(end.trim()) && ip(end.trim()).isGlobalUnicast() && !end.trim().startsWith('0.')"
)
HEX: Final = "'0123456789abcdef'.indexOf(padded.charAt({0}))"
GROUP: Final = (
    "[('0000' + group).substring(size(group))].map(padded, "
    + " + ".join(f"{HEX.format(i)} * {16 ** (3 - i)}" for i in range(4))
    + ")[0]"
)
"""CEL: the number that the hexadecimal text ``group`` is; 0 for the empty one beside "::"."""


def first(text: str) -> str:
    """CEL: the first address of the range ``text``, "10.1.1.1-10.1.1.9" or "10.1.1.0/28"."""
    return f"{text}.split('/')[0].split('-')[0].trim()"


def last(text: str) -> str:
    """CEL: the last address of the range ``text``, "10.1.1.1-10.1.1.9"."""
    return f"{text}.split('-')[1].trim()"


def numbers(address: str) -> str:
    """CEL: ``address`` as a list of three numbers."""
    groups = (
        f"[{address}.split('::')].map(half, size(half) == 1 ? half[0].split(':') : half[0].split(':') + "
        "[0, 1, 2, 3, 4, 5, 6, 7].filter(i, i < 8 - size(half[0].split(':')) - size(half[1].split(':')))"
        f".map(i, '0') + half[1].split(':'))[0].map(group, {GROUP})"
    )
    ipv6 = (
        f"[{groups}].map(g, [g[0] * 4294967296 + g[1] * 65536 + g[2], g[3] * 4294967296 + g[4] * 65536 + g[5], "
        "g[6] * 65536 + g[7]])[0]"
    )
    ipv4 = (
        f"[{address}.split('.').map(part, int(part))].map(p, "
        "[-1, -1, p[0] * 16777216 + p[1] * 65536 + p[2] * 256 + p[3]])[0]"
    )
    return f"({address}.contains(':') ? {ipv6} : {ipv4})"


def not_above(one: str, other: str) -> str:
    """CEL: the list of three numbers ``one`` is lower than ``other``, or the same."""
    return (
        f"({one}[0] < {other}[0] || ({one}[0] == {other}[0] && ({one}[1] < {other}[1] || "
        f"({one}[1] == {other}[1] && {one}[2] <= {other}[2]))))"
    )


def same_family(one: str, other: str) -> str:
    """CEL: both or none of the texts are of IPv6."""
    return f"{one}.contains(':') == {other}.contains(':')"


IS_RANGE: Final = Rule(RANGE.format("self"), "no range; write 10.1.1.200-10.1.1.250 or 10.1.2.0/28")
IS_NETWORK: Final = Rule(
    "!isCIDR(self) || string(cidr(self).masked()) == self",
    "has bits set behind its prefix length, or is not in canonical form; write one such as 10.1.2.0/28",
)
ENDS: Final = Rule(
    f"!{FROM_TO.format('self')} || (self.split('-').all(end, {OF_A_HOST}) && "
    f"{same_family(first('self'), last('self'))})",
    "must begin and end with unicast addresses of one family in canonical form; write 10.1.1.200-10.1.1.250",
)
# Both at the list, not at its entries: there the API server reckons with the longest text at every step, and refuses.
FORWARDS: Final = Rule(
    f"self.filter(r, {FROM_TO.format('r')}).all(r, [{numbers(first('r'))}].all(low, [{numbers(last('r'))}].all(high, "
    f"{not_above('low', 'high')})))",
    "a range ends before it begins; write the lower address first",
)
# Two ranges overlap when one holds the first address of the other, and each holds its own. Networks can be asked that;
# of the others it is a matter of numbers, where a network counts as its first address.
NETWORKS_APART: Final = Rule(
    f"[self.filter(r, {RANGE.format('r')})].all(ranges, ranges.filter(r, isCIDR(r)).all(network, "
    f"ranges.filter(r, cidr(network).containsIP({first('r')})).size() == 1))",
    "a network overlaps another range; keep them apart",
)
LAST_SAID: Final = f"(isCIDR(r) ? {first('r')} : {last('r')})"
SPANS_APART: Final = Rule(
    f"[self.filter(r, {RANGE.format('r')}).map(r, [{numbers(first('r'))}, {numbers(LAST_SAID)}])]"
    f".all(spans, spans.all(a, spans.filter(b, "
    f"{not_above('a[0]', 'b[0]')} && {not_above('b[0]', 'a[1]')}).size() == 1))",
    "two ranges overlap; keep them apart",
)

RANGE_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "VirtualIPPoolSpec.ranges[]": (IS_RANGE, IS_NETWORK, ENDS),
    "VirtualIPPoolSpec.ranges": (FORWARDS, NETWORKS_APART, SPANS_APART),
}
