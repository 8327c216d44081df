"""Address ranges of a pool: FIRST-LAST or a network."""

import ipaddress

from vipa.resources.addresses import AddressError, IPAddress, parse_address


class RangeError(ValueError):
    """The text is no range; the message says what would be."""


def parse_range(text: str) -> tuple[IPAddress, IPAddress]:
    """First and last address of ``text``, both included. A network counts whole: which of its addresses a LAN can
    use depends on the LAN's prefix length, not on the range's. Raises :class:`RangeError`."""
    head, dash, tail = text.partition("-")
    if dash:
        return _from_to(head, tail)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise RangeError("no range; write 10.1.1.200-10.1.1.250 or 10.1.2.0/28") from None
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise RangeError("a network of IPv4 addresses in IPv6 clothes; write it as IPv4, such as 10.1.2.0/28")
    if str(network) != text:
        raise RangeError(f"has bits set behind its prefix length, or is not in canonical form; write {network}")
    return network[0], network[-1]


def _from_to(head: str, tail: str) -> tuple[IPAddress, IPAddress]:
    try:
        first, last = parse_address(head.strip()), parse_address(tail.strip())
    except AddressError as error:
        raise RangeError(f"{error}; a range is written 10.1.1.200-10.1.1.250") from None
    if first.version != last.version:
        raise RangeError("mixes IPv4 and IPv6; write one range for each")
    if int(first) > int(last):
        raise RangeError(f"ends before it begins; write {last}-{first}")
    return first, last
