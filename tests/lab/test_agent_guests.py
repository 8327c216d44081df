"""Virtual Ethernet: the address belongs to a guest behind a bridge of w1; the adapters of w1 proxy for it in turn."""

import os
import signal
from pathlib import Path
from typing import Any

from vipa_agent.status import StatusError
from vipa_lab.cluster import Cluster
from vipa_lab.echo_server import READY
from vipa_lab.fleet import START_S
from vipa_lab.guests import BRIDGE, Guests
from vipa_lab.lab import Lab
from vipa_lab.manifests import virtual_ip
from vipa_lab.node import Node
from vipa_lab.ping import reaches

EXAMPLE = Path(__file__).parents[2] / "examples" / "virtual-ethernet.yaml"
OF_EXAMPLE = {"guest-1": "10.1.1.21", "guest-2": "10.1.1.22"}
NOWHERE = "{type: VirtualEthernet, bridge: br9}"


class Behind(Cluster):
    """w1 and w2 have a bridge; behind that of w1 are ``guest``, which has the virtual IP erp, and the example's."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, stack="dual", attachment=f"{{type: VirtualEthernet, bridge: {BRIDGE}}}")
        for node in self.scenario.nodes:
            node.set_ipv4_conf(rp_filter=1)
            node.set_ipv6_conf(forwarding=1)
        behind = Guests(lab, self.node("w1"))
        Guests(lab, self.node("w2"))
        self.guest: Node = behind.add("guest", f"{self.vips[0]}/24", self.vips[1])
        for name, address in OF_EXAMPLE.items():
            behind.add(name, f"{address}/24")
        self.guest.start_echo().wait_output(READY, START_S)
        self.write("example.yaml", EXAMPLE.read_text().replace("attachment:", "timing: Calm\n  attachment:"))
        self.write("nowhere.yaml", virtual_ip("nowhere", "10.1.1.99", attachment=NOWHERE))

    def vip_of(self, node: str, name: str) -> dict[str, Any]:
        try:
            vips = self.status(node)["vips"]
        except StatusError:  # it is being started
            return {}
        return next((vip for vip in vips if vip["name"] == name), {})

    def wait_excluded(self, node: str, reason: str, name: str = "erp") -> None:
        def so() -> bool:
            said = self.vip_of(node, name)
            return (said.get("role"), said.get("reason")) == ("Excluded", reason)

        self.wait(so, f"{name} is Excluded on {node} because of {reason}")

    def proxied(self, node: str) -> list[str]:
        """What this machine proxies for, IPv4."""
        return sorted({line.split()[0] for line in self.node(node).run(["ip", "neigh", "show", "proxy"]).splitlines()})

    def check_ways(self) -> None:
        """LAN clients reach the guest, the guest reaches them."""
        client = self.client.nics["eth1"]
        for address in self.vips:
            assert reaches(self.client, address), f"the client does not reach {address}"
        for address in (client.address, client.address6):
            assert reaches(self.guest, address), f"the guest does not reach {address}"

    def moved_to(self, endpoint: str) -> None:
        """The adapters' latest, for all of the list alike."""
        self.wait_serves(endpoint)
        self.check_ways()


def test_a_guest_is_proxied_for_by_the_adapters_of_its_machine_in_turn(lab: Lab) -> None:
    with Behind(lab) as cluster:
        cluster.start("w1", "w2")
        cluster.wait_peers()
        cluster.moved_to("w1/eth1")
        cluster.wait_excluded("w2", "GuestSilent")
        for node in ("w1", "w2"):
            cluster.wait_excluded(node, "BridgeMissing", "nowhere")
        assert cluster.vip_of("w1", "nowhere")["failing"] == ["bridge br9 does not exist on this node"]
        assert [cluster.bound_on("w1", address) for address in cluster.vips] == [[], []]
        assert cluster.proxied("w2") == []
        probe = cluster.datagrams()
        cluster.wait_client(probe, "guest")

        eth1 = cluster.nic("w1/eth1")
        for fail, mend in ((eth1.port.down, eth1.port.up), (eth1.port.block, eth1.port.unblock)):
            fail()
            cluster.moved_to("w1/eth2")
            cluster.wait(lambda: reaches(cluster.client, "10.1.1.21"), "the example's guest is reached by eth2")
            cluster.wait_client(probe, "guest")
            mend()
            cluster.wait_serves("w1/eth1")
        probe.stop()

        # A frozen agent's kernel falls silent; a new one finds what the old one left; what is removed comes back.
        cluster.freeze("w1")
        cluster.wait(lambda: cluster.answerer() == "", "the kernel of a frozen agent answers nobody")
        cluster.thaw("w1")
        cluster.wait_serves("w1/eth1")
        cluster.agents["w1"].kill()
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
        cluster.node("w1").run(["ip", "neigh", "del", "proxy", cluster.vip, "dev", "eth1"])
        cluster.wait(lambda: cluster.vip in cluster.proxied("w1"), "what was removed is there again")

        port = cluster.guest.nics["eth1"].port
        port.down()
        cluster.wait_excluded("w1", "GuestSilent")
        assert cluster.vip not in cluster.proxied("w1")
        assert {"10.1.1.21", "10.1.1.22"} <= set(cluster.proxied("w1")), "other guests are served as ever"
        port.up()
        cluster.moved_to("w1/eth1")

        os.kill(cluster.agents["w1"].pid, signal.SIGTERM)
        assert cluster.agents["w1"].wait(30) == 0
        assert cluster.leftovers("w1") == []
        assert cluster.proxied("w1") == []


def test_a_machine_that_does_not_forward_ipv6_says_so_and_serves_no_guest_that_has_it(lab: Lab) -> None:
    with Behind(lab) as cluster:
        w1 = cluster.node("w1")
        w1.set_ipv6_conf(forwarding=0)
        cluster.start("w1")
        cluster.wait_excluded("w1", "NotForwarding")
        why = "this node does not forward IPv6: set net.ipv6.conf.all.forwarding=1"
        assert cluster.vip_of("w1", "erp")["failing"] == [why]
        cluster.wait(lambda: "10.1.1.21" in cluster.proxied("w1"), "guests that have IPv4 alone are served")
        assert cluster.vip not in cluster.proxied("w1")
        w1.set_ipv6_conf(forwarding=1)
        cluster.moved_to("w1/eth1")
        w1.set_ipv6_conf(forwarding=0)  # another program's habit
        cluster.wait_excluded("w1", "NotForwarding")
        assert cluster.answerer() == ""
        w1.set_ipv6_conf(forwarding=1)
        cluster.moved_to("w1/eth1")
