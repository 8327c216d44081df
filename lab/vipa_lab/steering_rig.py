"""A node's kernel layer (:mod:`vipa_lab.kernel_rig`) with conntrack steering on, and who lives near and far.

The client 10.1.1.100 and the gateway 10.1.1.254 are on the node's LAN; behind the gateway lives 10.9.9.9. Under strict
rp_filter nothing at all works on eth2 without steering.
"""

import socket

from vipa_lab.host import Host
from vipa_lab.kernel_rig import BOTH, KernelRig
from vipa_lab.lab import Lab
from vipa_lab.within import within

ECHO_REQUEST = bytes.fromhex("0800f7ff00000000")
"""ICMP type 8, code 0, checksum, identifier 0, sequence 0 (RFC 792)."""


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
        host.flush_neighbours()
        with within(host, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)) as icmp:
            icmp.bind((source, 0))
            icmp.settimeout(0.5)
            for _ in range(6):
                icmp.sendto(ECHO_REQUEST, (target, 0))
                try:
                    if icmp.recv(100)[20:21] == b"\0":
                        return True
                except TimeoutError:
                    continue
        return False

    def dead_path(self, nic: str) -> None:
        """The link stays up and nothing passes."""
        self.node.nics[nic].port.block()
