"""What may be a virtual IP, an interface's own address, or a probe target, judged from the text alone."""

import ipaddress
from functools import lru_cache
from typing import Final

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

THIS_NETWORK_END: Final = 1 << 24
"""0.0.0.0/8 is below: RFC 1122 section 3.2.1.3, never a host's address."""
BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


class AddressError(ValueError):
    """The text is no usable address; the message says what would be."""


PARSED_MAX: Final = 1 << 15
"""Room for the addresses of 10,000 VIPs: each is judged when it is read and again in every plan."""


@lru_cache(PARSED_MAX)
def parse_address(text: str) -> IPAddress:
    """A unicast address that a host on a LAN can have, in canonical text. Raises :class:`AddressError`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise AddressError(_why_not(text)) from None
    if address.version == 6 and address.ipv4_mapped is not None:
        raise AddressError(f"an IPv4 address in IPv6 clothes; write {address.ipv4_mapped}")
    if address.version == 6 and address.scope_id is not None:
        raise AddressError("only link-local addresses have a scope; write the address without it")
    if str(address) != text:
        raise AddressError(f"not in canonical form; write {address}")
    if wrong := _unusable(address):
        raise AddressError(f"{wrong} cannot belong to a host of the LAN; write a unicast address of the LAN")
    return address


def _unusable(address: IPAddress) -> str:
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_loopback:
        return "a loopback address"
    if address.is_multicast:
        return "a multicast address"
    if address.is_link_local:
        return "a link-local address"
    if address == BROADCAST:
        return "the broadcast address"
    if address.version == 4 and int(address) < THIS_NETWORK_END:
        return "an address of 0.0.0.0/8"
    return ""


def _why_not(text: str) -> str:
    host, slash, _ = text.partition("/")
    stripped = host.strip()
    try:
        plain = ipaddress.ip_address(stripped)
    except ValueError:
        plain = None
    if plain is not None:
        extra = "a prefix length" if slash else "spaces"
        return f"an address without {extra} is needed; write {plain}"
    parts = stripped.split(".")
    if len(parts) == 4 and all(p.isascii() and p.isdigit() and len(p) <= 8 for p in parts):
        if any(int(p) > 255 for p in parts):
            return "not an IPv4 address: each of the four numbers must be from 0 to 255, such as 10.1.1.7"
        return f"leading zeros are read differently by different programs; write {'.'.join(str(int(p)) for p in parts)}"
    return "not an IP address; write one such as 10.1.1.7"


def parse_own(text: str) -> tuple[IPAddress, int]:
    """An interface's own address with prefix length, "10.1.1.4/24": (address, prefix length). Raises
    :class:`AddressError`. Link-local addresses are fine here: interfaces have them."""
    host, slash, length = text.partition("/")
    try:
        address = ipaddress.ip_address(host)
        prefix = int(length) if slash and length.isascii() and length.isdigit() and len(length) <= 3 else -1
    except ValueError:
        raise AddressError("not an address with prefix length; write one such as 10.1.1.4/24") from None
    if address.version == 6 and address.scope_id is not None:
        raise AddressError(f"an interface's own address needs no scope; write {host.partition('%')[0]}/{length}")
    if not 0 <= prefix <= address.max_prefixlen:
        raise AddressError(f"the prefix length is missing or wrong; write one such as {host}/24")
    return address, prefix
