"""A node's kernel layer (:mod:`vipa_lab.kernel_rig`) with conntrack steering on, and who lives near and far.

The client 10.1.1.100 and the gateway 10.1.1.254 are on the node's LAN; behind the gateway lives 10.9.9.9. Under strict
rp_filter nothing at all works on eth2 without steering.
"""

from vipa_lab.host import Host
from vipa_lab.kernel_rig import BOTH, KernelRig
from vipa_lab.lab import Lab
from vipa_lab.ping import reaches


class SteeringRig(KernelRig):
    """Node, client and gateway; the node's kernel layer with conntrack steering on."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.client = lab.add_station("client")
        self.client.add_nic(self.switch, "10.1.1.100/24")
        self.gateway = lab.add_station("gateway")
        self.gateway.add_nic(self.switch, "10.1.1.254/24", "10.9.9.9/32")
        lab.settle()
        self.node.add_route("default", "10.1.1.254")
        self.node.set_ipv4_conf(rp_filter=1)
        self.before = self.state()
        self.kernel = self.start(forwarded_replies=True)

    def state(self) -> dict[str, str]:
        """All that the kernel layer may touch, as people would look at it. IPv4 only: duplicate address detection
        changes the IPv6 view by itself."""
        looks = ("nft list ruleset", "ip rule", "ip -4 route show table all", "ip -4 -o addr")
        state = {look: self.node.run(look.split()) for look in looks}
        for nic in BOTH:
            state[nic] = self.node.run(["cat", f"/proc/sys/net/ipv4/conf/{nic}/src_valid_mark"])
        return state

    def reaches(self, host: Host, target: str, source: str = "") -> bool:
        """Whether a cold host gets an echo back; several tries, since the first pays for ARP."""
        return reaches(host, target, source)

    def dead_path(self, nic: str) -> None:
        """The link stays up and nothing passes."""
        self.node.nics[nic].port.block()
