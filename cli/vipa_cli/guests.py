"""``vipa guests``: manifests of the guests behind a bridge, from ranges of their addresses.

One VirtualIP for each guest, since a guest that is silent must not take the others' addresses away; one list, so that
all move together (docs/design/0011-virtual-ethernet.md).
"""

import re
import sys
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from vipa_cli import exits

Address = IPv4Address | IPv6Address

GUESTS_MAX: Final = 2000
"""On a node: what the promises are kept for (docs/limits.md). A range of more is a slip of the pen, most likely."""

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""A label of RFC 1123, as Kubernetes has names."""

_BRIDGE: Final = re.compile(r"[^\s/:]{1,15}")
"""An interface name as Linux takes it (IFNAMSIZ 16 with its end)."""


class RangeError(ValueError):
    """One message for people."""


def guests_command(ranges: Sequence[str], bridge: str, interface_list: str, prefix: str) -> int:
    """Print one VirtualIP for each address of ``ranges``. Returns 0; 2 with a message when a word is wrong."""
    try:
        _need_names(bridge, interface_list, prefix)
        addresses = expand(ranges)
    except RangeError as error:
        print(f"vipa guests: {error}", file=sys.stderr)
        return exits.USAGE
    sys.stdout.write("---\n".join(manifest(address, bridge, interface_list, prefix) for address in addresses))
    return exits.GOOD


def _need_names(bridge: str, interface_list: str, prefix: str) -> None:
    if not _BRIDGE.fullmatch(bridge):
        raise RangeError(f"--bridge: {bridge!r} is no name of an interface")
    for option, name in (("--list", interface_list), ("--prefix", prefix)):
        if not _NAME.fullmatch(name):
            raise RangeError(f"{option}: {name!r} is no name; write lower-case letters, digits and '-'")


def manifest(address: Address, bridge: str, interface_list: str, prefix: str) -> str:
    """The VirtualIP of one guest, as YAML. It is named by its address, so that a longer range renames nobody."""
    return (
        "apiVersion: vipa.dev/v1alpha1\n"
        "kind: VirtualIP\n"
        f"metadata: {{name: {prefix}-{re.sub('[.:]', '-', address.exploded)}}}\n"
        "spec:\n"
        f'  addresses: ["{address}"]\n'
        f'  attachment: {{type: VirtualEthernet, bridge: "{bridge}"}}\n'
        f"  preferredInterfaceList: {interface_list}\n"
    )


def expand(ranges: Sequence[str]) -> list[Address]:
    """The addresses of ``FIRST-LAST``, ``NETWORK/LENGTH`` (each address of it) or ``ADDRESS``, in order. Raises
    RangeError."""
    found: dict[Address, str] = {}
    for text in ranges:
        for address in _one(text):
            if address in found:
                raise RangeError(f"{text}: {address} is in {found[address]} too")
            found[address] = text
            if len(found) > GUESTS_MAX:
                raise RangeError(f"{text}: more than {GUESTS_MAX} addresses in all, the most that a node is to serve")
    return list(found)


def _one(text: str) -> Iterator[Address]:
    try:
        if "/" in text:
            yield from ip_network(text)
            return
        first_text, _, last_text = text.partition("-")
        first = ip_address(first_text)
        last = ip_address(last_text) if last_text else first
    except ValueError as error:
        raise RangeError(f"{text}: {error}; write 10.1.1.21-10.1.1.36, 10.1.1.32/28 or an address") from None
    if first.version != last.version:
        raise RangeError(f"{text}: an IPv4 and an IPv6 address; write a range of one of them")
    if int(last) < int(first):
        raise RangeError(f"{text}: ends before it begins; write {last}-{first}")
    for number in range(int(first), int(last) + 1):
        yield type(first)(number)
