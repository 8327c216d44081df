"""Rules about the ranges of a pool. CEL compares addresses for equality only, so their order is that of their digits:
twelve decimal ones of IPv4, 32 hexadecimal ones of IPv6, which also tells the families apart by length."""

from collections.abc import Mapping
from typing import Final

from vipa.crd.rule import Fault, Rule

ZEROS: Final = "0" * 32

# Texts of CEL; {0} is an expression.
_END: Final = "{0}.split('-')[{1}].trim()"
_FROM_TO: Final = "(size({0}.split('-')) == 2 && {0}.split('-').all(end, isIP(end.trim())))"
_RANGE: Final = f"(isCIDR({{0}}) || {_FROM_TO})"
_IPV4_DIGITS: Final = "{0}.split('.').map(part, '000'.substring(size(part)) + part).join('')"
_IPV6_HALVES: Final = (
    "{0}.split('::').map(half, half.split(':').map(part, '0000'.substring(size(part)) + part).join(''))"
)
_IPV6_DIGITS: Final = (
    f"[{_IPV6_HALVES}].map(h, size(h) == 1 ? h[0] : h[0] + '{ZEROS}'.substring(size(h[0]) + size(h[1])) + h[1])[0]"
)
_DIGITS: Final = f"({{0}}.contains(':') ? {_IPV6_DIGITS} : {_IPV4_DIGITS})"


def _first(text: str) -> str:
    return _END.format(text, 0)


def _last(text: str) -> str:
    return _END.format(text, 1)


def _digits(text: str) -> str:
    return _DIGITS.format(text)


_HOST_END: Final = (
    "isIP(end.trim()) && ip.isCanonical(end.trim()) && ip(end.trim()).isGlobalUnicast() && !end.trim().startsWith('0.')"
)
_SAME_FAMILY: Final = f"ip({_first('self')}).family() == ip({_last('self')}).family()"
# What is compared of each range: its text, its first address, the digits of its first and of its last one.
_PARTS: Final = (
    "self.filter(r, " + _RANGE.format("r") + ").map(r, isCIDR(r) ? [r, string(cidr(r).ip()), "
    f"{_digits('string(cidr(r).ip())')}, ''] : [r, {_first('r')}, {_digits(_first('r'))}, {_digits(_last('r'))}])"
)


def _holds(one: str, other: str) -> str:
    """CEL: range ``one`` holds the first address of ``other``."""
    between = f"(size({one}[2]) == size({other}[2]) && {one}[2] <= {other}[2] && {other}[2] <= {one}[3])"
    return f"(isCIDR({one}[0]) ? cidr({one}[0]).containsIP({other}[1]) : {between})"


RANGE_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "VirtualIPPoolSpec.ranges[]": (
        Rule(_RANGE.format("self"), "no range; write 10.1.1.200-10.1.1.250 or 10.1.2.0/28"),
        Rule(
            "!isCIDR(self) || string(cidr(self).masked()) == self",
            "has bits set behind its prefix length, or is not in canonical form",
            message_expression="'has bits set behind its prefix length, or is not in canonical form; write ' + "
            "string(cidr(self).masked())",
        ),
        Rule(
            f"!{_FROM_TO.format('self')} || (self.split('-').all(end, {_HOST_END}) && {_SAME_FAMILY})",
            "begins and ends with a unicast address of one family in canonical form; write 10.1.1.200-10.1.1.250",
        ),
        Rule(
            f"!{_FROM_TO.format('self')} || {_digits(_first('self'))} <= {_digits(_last('self'))}",
            "ends before it begins",
            message_expression=f"'ends before it begins; write ' + {_last('self')} + '-' + {_first('self')}",
        ),
    ),
    "VirtualIPPoolSpec.ranges": (
        Rule(
            f"[{_PARTS}].all(all, all.all(a, all.filter(b, {_holds('a', 'b')} || {_holds('b', 'a')}).size() == 1))",
            "two ranges overlap; keep them apart",
            reason=Fault.DUPLICATE,
        ),
    ),
}
