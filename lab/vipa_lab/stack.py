"""The lab's addresses in both IP versions: which IPv6 address stands beside an IPv4 one."""

from ipaddress import IPv4Interface
from typing import Final, Literal

Stack = Literal["dual", "ipv4", "ipv6"]
"""What a LAN speaks."""

# The prefix every Ethernet LAN has (RFC 4291 section 2.5.1), and that of one address alone.
_LAN_LENGTH: Final = 64
_HOST_LENGTH: Final = 128


def ipv6_beside(address: str) -> str:
    """The IPv6 address beside "10.1.1.4/24": "fd00:a01:1::4/64"; a /32 becomes a /128. Without a length, none.

    fd00::/8 is for local use (RFC 4193). Then the first two bytes in hexadecimal; the third and the last keep
    their decimal digits, so that "::100" is known again as 10.1.1.100. IPv4 networks must be /24, or single addresses.
    """
    interface = IPv4Interface(address)
    first, second, third, last = interface.ip.packed
    text = f"fd00:{first << 8 | second:x}:{third}::{last}"
    if "/" not in address:
        return text
    return f"{text}/{_HOST_LENGTH if interface.network.prefixlen == interface.max_prefixlen else _LAN_LENGTH}"


def of_stack(stack: Stack, *addresses: str) -> tuple[str, ...]:
    """These IPv4 addresses as a LAN of this kind has them: each with its IPv6 one after it, alone, or replaced."""
    if stack == "ipv4":
        return addresses
    beside = tuple(ipv6_beside(address) for address in addresses)
    if stack == "ipv6":
        return beside
    return tuple(each for pair in zip(addresses, beside, strict=True) for each in pair)
