"""Ready-made LANs: the one of the IBM i scenario, and a larger one."""

from dataclasses import dataclass
from typing import Final

from vipa_lab.client import Client
from vipa_lab.echo_server import READY
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.node import Node
from vipa_lab.stack import Stack, ipv6_beside, of_stack
from vipa_lab.switch import Switch

IBM_I_VIP: Final = "10.1.1.7"
THREE_NODE_VIP: Final = "10.1.1.100"
# A Python program starts in about 0.1 s; a busy 2-core machine was seen to take 2 s.
_START_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A LAN with nodes in the order of its preferred interface list, one client and one neutral station (the router).

    ``preferred``: the interfaces' addresses, most preferred first. Where the LAN speaks both IP versions, they and
    ``vip`` are IPv4; ``vip6`` is the IPv6 address beside it.
    """

    lab: Lab
    lan: Switch
    nodes: tuple[Node, ...]
    client: Client
    router: Client
    vip: str
    preferred: tuple[str, ...]
    vip6: str

    def host(self, name: str) -> Host:
        """A machine by name."""
        return self.lab.hosts[name]


def ibm_i_lab(lab: Lab, *, echo: bool = True, stack: Stack = "dual") -> Scenario:
    """Fill ``lab`` with the scenario "adapter failover using virtual IP and proxy ARP": w1 with 10.1.1.4 and 10.1.1.5,
    w2 with 10.1.1.6, the client c1 at 10.1.1.100, the router r1 at 10.1.1.1; with ``echo``, a server on each node.
    Beside each address, or instead of it, an IPv6 one (:mod:`vipa_lab.stack`)."""
    builder = _Builder(lab, stack)
    builder.add_node("w1", "10.1.1.4/24", "10.1.1.5/24")
    builder.add_node("w2", "10.1.1.6/24")
    return builder.finish("10.1.1.100/24", IBM_I_VIP, echo)


def figure_1_lab(lab: Lab, *, echo: bool = True, stack: Stack = "dual") -> Scenario:
    """Fill ``lab`` with one system: w1 with 10.1.1.4, 10.1.1.5 and 10.1.1.6; client and router as in
    :func:`ibm_i_lab`."""
    builder = _Builder(lab, stack)
    builder.add_node("w1", "10.1.1.4/24", "10.1.1.5/24", "10.1.1.6/24")
    return builder.finish("10.1.1.100/24", IBM_I_VIP, echo)


def three_node_lab(lab: Lab, *, echo: bool = True, stack: Stack = "dual") -> Scenario:
    """Fill ``lab`` with w1, w2, w3, two adapters each (10.1.1.11, 10.1.1.12, 10.1.1.21 …), VIP 10.1.1.100, client c1 at
    10.1.1.200, router r1 at 10.1.1.1; IPv6 as in :func:`ibm_i_lab`."""
    builder = _Builder(lab, stack)
    for i in (1, 2, 3):
        builder.add_node(f"w{i}", f"10.1.1.{i}1/24", f"10.1.1.{i}2/24")
    return builder.finish("10.1.1.200/24", THREE_NODE_VIP, echo)


class _Builder:
    def __init__(self, lab: Lab, stack: Stack) -> None:
        self._lab, self._stack = lab, stack
        self._lan = lab.add_switch("lan")
        self._nodes: list[Node] = []

    def add_node(self, name: str, *addresses: str) -> None:
        node = self._lab.add_node(name)
        for address in addresses:
            node.add_nic(self._lan, *of_stack(self._stack, address))
        self._nodes.append(node)

    def finish(self, client_address: str, vip: str, echo: bool) -> Scenario:
        client = self._lab.add_client("c1")
        client.add_nic(self._lan, *of_stack(self._stack, client_address))
        router = self._lab.add_client("r1")
        router.add_nic(self._lan, *of_stack(self._stack, "10.1.1.1/24"))
        for host in (*self._nodes, client):
            for gateway in of_stack(self._stack, "10.1.1.1"):
                host.add_route("default", gateway)
        router.set_sysctl("net/ipv4/ip_forward", 1)
        router.set_ipv6_conf(forwarding=1)
        servers = [node.start_echo() for node in self._nodes] if echo else []
        self._lab.settle()
        for server in servers:
            server.wait_output(READY, _START_TIMEOUT_S)
        vip6 = "" if self._stack == "ipv4" else ipv6_beside(vip)
        preferred = tuple(nic.address for node in self._nodes for nic in node.nics.values())
        first = of_stack(self._stack, vip)[0]
        return Scenario(self._lab, self._lan, tuple(self._nodes), client, router, first, preferred, vip6)
