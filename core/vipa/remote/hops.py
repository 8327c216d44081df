"""Next hops: the adapters to which a router may send what is for a virtual IP. Pure."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface


def hop_for(vip: str, address: str, others: Iterable[str]) -> str:
    """The address of an adapter by which ``vip`` is reached: its endpoint's ``address`` where that is of the same
    family, else one of ``others`` (own addresses with prefix length) on whose network the virtual IP is; or ""."""
    if (":" in vip) is (":" in address):
        return address
    wanted = ip_address(vip)
    of_family = (ip_interface(text) for text in others if (":" in text) is (":" in vip))
    return next((str(known.ip) for known in of_family if wanted in known.network), "")


def hops_of(vips: Iterable[str], address: str, others: Iterable[str]) -> Iterator[str]:
    """The endpoint's ``address``, and that of the other family where one of ``vips`` is of it."""
    yield address
    known = tuple(others)
    for vip in vips:
        if (":" in vip) is not (":" in address) and (hop := hop_for(vip, address, known)):
            yield hop
