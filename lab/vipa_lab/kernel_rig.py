"""One node with two NICs on one LAN and an agent's kernel layer on it: where tests of that layer begin.

The node: eth1 10.1.1.4, eth2 10.1.1.5; the virtual IP 10.1.1.7 is bound on both. Beside each of these stands an IPv6
address (:mod:`vipa_lab.stack`), which the kernel layer is told of where a test is about IPv6.
"""

from collections.abc import Callable
from typing import TypeVar

from vipa_agent.kernel.kernel import Kernel
from vipa_lab.lab import Lab
from vipa_lab.node import Node
from vipa_lab.stack import ipv6_beside, of_stack
from vipa_lab.switch import Switch
from vipa_lab.until import until
from vipa_lab.within import within

VIP = "10.1.1.7"
VIP6 = ipv6_beside(VIP)
OWN = (("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"))
OWN6 = tuple((name, ipv6_beside(address)) for name, address in OWN)
BOTH = ("eth1", "eth2")
CLAIM_S = 0.1  # the longest that the election asks for
LONG_S = 60.0
"""For tests that are not about expiry: no stall of a busy machine ends it."""
T = TypeVar("T")


def add_node(lab: Lab, switch: Switch, own: tuple[tuple[str, str], ...] = OWN) -> Node:
    """A node with an adapter for each (name, IPv4 address with prefix length) of ``own``."""
    node = lab.add_node("w1")
    for _name, address in own:
        node.add_nic(switch, *of_stack("dual", address))
    return node


class KernelRig:
    """The node and its LAN; whoever inherits adds the machines it needs and then starts ``kernel``. ``own``: the node's
    own addresses, as the kernel layer is told. ``renewed`` and ``lapsed`` are what the kernel layer told."""

    kernel: Kernel
    own: tuple[tuple[str, str], ...] = OWN

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch = lab.add_switch()
        self.node = add_node(lab, self.switch)
        self.renewed: list[tuple[str, float]] = []
        self.lapsed: list[str] = []

    def close(self) -> None:
        """End the kernel layer; what it made in the kernel goes with the lab."""
        self.call(self.kernel.close)

    def call(self, function: Callable[[], T]) -> T:
        """Run on the node."""
        return within(self.node, function)

    def start(self, *, forwarded_replies: bool = False) -> Kernel:
        """An agent's kernel layer; a second one is the agent after a restart."""

        def renewed(interface: str, until_s: float) -> None:
            self.renewed.append((interface, until_s))

        return self.call(lambda: Kernel(renewed, self.lapsed.append, forwarded_replies=forwarded_replies))

    def serve(self, addresses: tuple[str, ...] = (VIP,)) -> None:
        """Guard and bind, nobody elected."""
        self.call(lambda: self.kernel.guard(addresses, self.own))
        self.call(lambda: self.kernel.bind(addresses, BOTH))

    def claim(self, interface: str, permit_s: float | None = LONG_S, *addresses: str) -> float | None:
        """Claim and permit, the virtual IP unless told otherwise; retried, since a stall between the two rightly fails
        it."""
        every = addresses or (VIP,)
        return until(lambda: self._claim_once(interface, permit_s, every), f"a permit of {interface}")[0]

    def _claim_once(
        self, interface: str, permit_s: float | None, addresses: tuple[str, ...]
    ) -> tuple[float | None] | None:
        assert self.kernel.begin_claim(addresses, CLAIM_S)
        ok, until_s = self.kernel.permit(addresses, interface, permit_s)
        return (until_s,) if ok else None
