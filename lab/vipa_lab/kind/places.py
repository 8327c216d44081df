"""Names, addresses and folders of the kind cluster: what every part of :mod:`vipa_lab.kind` agrees on."""

import os
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[3]
"""The checkout this package is in. An installed package has none."""

RECIPE: Final = CHECKOUT / "kind"
"""Configuration and small scripts that go into nodes and images."""

CLUSTER: Final = "vipa"
CONTROL_PLANE: Final = "vipa-control-plane"
WORKERS: Final = ("vipa-worker", "vipa-worker2")
NODES: Final = (CONTROL_PLANE, *WORKERS)
"""Containers and Kubernetes nodes have the same names; kind makes them of the cluster's."""

CLIENT: Final = "vipa-client"

# Subnets of our own, so that addresses can be given by hand ("docker network connect --ip" refuses that elsewhere).
# What docker gives by itself is in the range, all else is free for nodes and virtual IPs.
MANAGEMENT: Final = "vipa-kind"
MANAGEMENT_BRIDGE: Final = "vipa-kind"
MANAGEMENT_SUBNET: Final = "10.1.0.0/24"
MANAGEMENT_RANGE: Final = "10.1.0.128/25"
LAN: Final = "vipa-lan"
LAN_BRIDGE: Final = "vipa-lan"
LAN_SUBNET: Final = "10.1.1.0/24"
LAN_RANGE: Final = "10.1.1.128/26"
LAN_GATEWAY: Final = "10.1.1.254"

SERVICE_ADDRESSES: Final[dict[str, tuple[str, str]]] = {
    CONTROL_PLANE: ("10.1.1.2", "10.1.1.3"),
    "vipa-worker": ("10.1.1.4", "10.1.1.5"),
    "vipa-worker2": ("10.1.1.6", "10.1.1.9"),
}
"""Of each node's two service NICs. The first is docker's, the second a cable of ours to the same bridge."""

SECOND_NIC: Final = "lan2"
"""Its name in every node. Docker names its own eth0, eth1 … and takes the next free number, so ours is no ethN."""

CLIENT_ADDRESS: Final = "10.1.1.20"

NAMESPACE: Final = "vipa-system"
"""Where the chart is installed."""


def cache_folder() -> Path:
    """Images, root file systems and dockerd's data: slow to make, kept over clusters (XDG Base Directory). Without
    symbolic links, as the kernel names what is mounted there: what is left is found by that name."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(base) / "vipa" / "kind").resolve()


def state_folder() -> Path:
    """What is up now and how the machine was before: all that ``kind-down`` needs."""
    return cache_folder() / "state"


def cable(node: str) -> str:
    """The host's end of the second service NIC's cable. Short enough for IFNAMSIZ (15 characters)."""
    return f"vipa-lan2-{NODES.index(node)}"


LINKS: Final = (MANAGEMENT_BRIDGE, LAN_BRIDGE, "vipa-station", *map(cable, NODES))
"""All links on this machine whose names are ours: bridges, cables, and the cable of a station that tests plug in."""
