"""Ready-made LANs: the one of the IBM i scenario, and a larger one."""

from dataclasses import dataclass
from typing import Final

from vipa_lab.client import Client
from vipa_lab.echo_server import READY
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.node import Node
from vipa_lab.switch import Switch

IBM_I_VIP: Final = "10.1.1.7"
THREE_NODE_VIP: Final = "10.1.1.100"
# A Python program starts in about 0.1 s; a busy 2-core machine was seen to take 2 s.
_START_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A LAN with nodes in the order of its preferred interface list, one client and one neutral station (the router).

    ``preferred``: the interfaces' addresses, most preferred first.
    """

    lab: Lab
    lan: Switch
    nodes: tuple[Node, ...]
    client: Client
    router: Client
    vip: str
    preferred: tuple[str, ...]

    def host(self, name: str) -> Host:
        """A machine by name."""
        return self.lab.hosts[name]


def ibm_i_lab(lab: Lab, *, echo: bool = True) -> Scenario:
    """Fill ``lab`` with the scenario "adapter failover using virtual IP and proxy ARP": w1 with 10.1.1.4 and 10.1.1.5,
    w2 with 10.1.1.6, the client c1 at 10.1.1.100, the router r1 at 10.1.1.1; with ``echo``, a server on each node."""
    lan = lab.add_switch("lan")
    w1 = _node(lab, lan, "w1", "10.1.1.4/24", "10.1.1.5/24")
    w2 = _node(lab, lan, "w2", "10.1.1.6/24")
    preferred = ("10.1.1.4", "10.1.1.5", "10.1.1.6")
    return _finish(lab, lan, (w1, w2), "10.1.1.100/24", IBM_I_VIP, preferred, echo)


def three_node_lab(lab: Lab, *, echo: bool = True) -> Scenario:
    """Fill ``lab`` with w1, w2, w3, two adapters each (10.1.1.11, 10.1.1.12, 10.1.1.21 …), VIP 10.1.1.100, client c1 at
    10.1.1.200, router r1 at 10.1.1.1."""
    lan = lab.add_switch("lan")
    nodes = tuple(_node(lab, lan, f"w{i}", f"10.1.1.{i}1/24", f"10.1.1.{i}2/24") for i in (1, 2, 3))
    preferred = tuple(nic.address for node in nodes for nic in node.nics.values())
    return _finish(lab, lan, nodes, "10.1.1.200/24", THREE_NODE_VIP, preferred, echo)


def _node(lab: Lab, lan: Switch, name: str, *addresses: str) -> Node:
    node = lab.add_node(name)
    for address in addresses:
        node.add_nic(lan, address)
    return node


def _finish(
    lab: Lab,
    lan: Switch,
    nodes: tuple[Node, ...],
    client_address: str,
    vip: str,
    preferred: tuple[str, ...],
    echo: bool,
) -> Scenario:
    client = lab.add_client("c1")
    client.add_nic(lan, client_address)
    router = lab.add_client("r1")
    router.add_nic(lan, "10.1.1.1/24")
    for host in (*nodes, client):
        host.add_route("default", "10.1.1.1")
    router.set_sysctl("net/ipv4/ip_forward", 1)
    servers = [node.start_echo() for node in nodes] if echo else []
    lab.settle()
    for server in servers:
        server.wait_output(READY, _START_TIMEOUT_S)
    return Scenario(lab, lan, nodes, client, router, vip, preferred)
