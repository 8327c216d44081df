"""The cluster's networks: two docker networks, a second cable per node into the service LAN, and the pods' routes.

The service LAN is one layer-2 segment: docker's bridge ``vipa-lan``. Docker connects a container to a network once, so
the second NIC of a node is a veth pair of ours, plugged into the same bridge. It is gone with the node's network
namespace, and :func:`plug_second_nic` puts it back after a start.
"""

import json
import subprocess
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind.engine import Engine
from vipa_lab.kind.machine import links
from vipa_lab.kind.places import (
    LAN,
    LAN_BRIDGE,
    LAN_GATEWAY,
    LAN_RANGE,
    LAN_SUBNET,
    MANAGEMENT,
    MANAGEMENT_BRIDGE,
    MANAGEMENT_RANGE,
    MANAGEMENT_SUBNET,
    NODES,
    SECOND_NIC,
    SERVICE_ADDRESSES,
    cable,
)
from vipa_lab.kube.kubectl import Kubectl

_POD_CONFIG: Final = "/etc/cni/net.d/10-pods.conflist"
_POD_ROUTES: Final = "/etc/pod-routes"


def make_networks(engine: Engine) -> None:
    """Both, unless they are there."""
    if not engine.has("network", MANAGEMENT):
        where = ["--subnet", MANAGEMENT_SUBNET, "--ip-range", MANAGEMENT_RANGE]
        engine.run("network", "create", *_bridge(MANAGEMENT_BRIDGE), *where, MANAGEMENT)
    if not engine.has("network", LAN):
        where = ["--subnet", LAN_SUBNET, "--ip-range", LAN_RANGE, "--gateway", LAN_GATEWAY]
        # Internal: a LAN between nodes and clients, and no way out of them.
        engine.run("network", "create", "--internal", *_bridge(LAN_BRIDGE), *where, LAN)


def connect_nodes(engine: Engine) -> None:
    """Two service NICs for every node."""
    for node in NODES:
        engine.run("network", "connect", "--ip", SERVICE_ADDRESSES[node][0], LAN, node)
        plug_second_nic(node, int(engine.run("container", "inspect", "--format", "{{.State.Pid}}", node)))


def plug_second_nic(node: str, pid: int) -> None:
    """The cable from ``node``, whose network process ``pid`` holds, to the service LAN, instead of one there is."""
    port = cable(node)
    if port in links():
        # Docker keeps the network of a container that was killed for up to a minute.
        ip("link", "delete", port)
    # 02: locally administered (IEEE 802); the rest says in a capture where a frame came from.
    mac = f"02:76:69:70:{NODES.index(node):02x}:02"
    ip("link", "add", port, "type", "veth", "peer", "name", SECOND_NIC, "address", mac, "netns", str(pid))
    ip("link", "set", port, "master", LAN_BRIDGE, "up")
    inside = ["nsenter", "--net", "--target", str(pid), "ip"]
    length = LAN_SUBNET.partition("/")[2]
    _run([*inside, "address", "add", f"{SERVICE_ADDRESSES[node][1]}/{length}", "dev", SECOND_NIC])
    _run([*inside, "link", "set", SECOND_NIC, "up"])


def connect_pods(engine: Engine, kubectl: Kubectl) -> None:
    """Pods' addresses: a veth per pod out of its node's range, and on each node a route to every other node's range.

    For nodes without a network plugin of their own; those of the stock image bring one.
    """
    nodes = {each["metadata"]["name"]: each for each in kubectl.list("nodes")}
    ranges = {name: str(each["spec"]["podCIDR"]) for name, each in nodes.items()}
    inside = {name: _internal_address(each["status"]["addresses"]) for name, each in nodes.items()}
    for node in nodes:
        _write(engine, node, _POD_CONFIG, json.dumps(pod_config(ranges[node])))
        _write(engine, node, _POD_ROUTES, pod_routes(node, ranges, inside))
        engine.run("exec", node, "sh", _POD_ROUTES)


def pod_config(pod_range: str) -> dict[str, object]:
    """The CNI configuration of a node whose pods' addresses are of ``pod_range`` ("10.244.1.0/24")."""
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",
        "routes": [{"dst": "0.0.0.0/0"}],
        "ranges": [[{"subnet": pod_range}]],
    }
    pair = {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [pair, ports]}


def pod_routes(node: str, ranges: dict[str, str], addresses: dict[str, str]) -> str:
    """The shell script that gives ``node`` its routes: ``ranges`` and ``addresses`` by node. Repeatable."""
    others = (other for other in ranges if other != node)
    return "".join(f"ip route replace {ranges[other]} via {addresses[other]}\n" for other in others)


def ip(*words: str) -> None:
    """``ip`` on this machine; LabError with its words."""
    _run(["ip", *words])


def _bridge(name: str) -> list[str]:
    return ["--opt", f"com.docker.network.bridge.name={name}"]


def _internal_address(addresses: list[dict[str, str]]) -> str:
    return next(each["address"] for each in addresses if each["type"] == "InternalIP")


def _write(engine: Engine, node: str, path: str, text: str) -> None:
    engine.run("exec", "--interactive", node, "sh", "-c", f"cat >{path}", stdin=text)


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
