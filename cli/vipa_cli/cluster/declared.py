"""What the cluster declares about an address, for who compares it with the wire (``observe``)."""

from typing import NamedTuple

from vipa_cli.cluster.client import Client
from vipa_cli.cluster.objects import addresses, name_of, one_vip, status_of


class FromCluster(NamedTuple):
    """``candidates``: own addresses of the candidates' interfaces; ``elected``: the holder's, "" without one."""

    source: str
    address: str
    candidates: tuple[str, ...]
    elected: str


def declared(client: Client, wanted: str) -> FromCluster:
    """Of the virtual IP with that name, then by its first address, or with that address. ClusterError when there is
    none."""
    vip = one_vip(client, wanted)
    known = addresses(vip)
    holder = status_of(vip).get("holder") or {}
    address = wanted if wanted in known else next(iter(known), "")
    candidates = tuple(c["address"] for c in status_of(vip).get("succession") or () if c.get("address"))
    return FromCluster(
        f"VirtualIP {name_of(vip)} at {client.server}", address, candidates, str(holder.get("address") or "")
    )
