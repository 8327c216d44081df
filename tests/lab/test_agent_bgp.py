"""Remote clients behind a router that speaks BGP: FRR on both sides, and each way to lose a next hop in turn.

One story on one LAN, for FRR and its sessions take seconds to come up. Times are for ``make bench-bgp``.
"""

from vipa.election.handover import LINGER_S
from vipa_lab.bgp_lab import BgpRouter
from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab
from vipa_lab.until import until

W1, W2 = ("10.1.1.4", "10.1.1.5"), ("10.1.1.6",)
LINK_LOCAL = dict(
    zip((*W1, *W2), ("fe80::76:69ff:fe70:101", "fe80::76:69ff:fe70:102", "fe80::76:69ff:fe70:201"), strict=True)
)
"""By which IPv6 address a router reaches the same adapter, as bgpd tells it; it is made of the MAC."""
SOON_S = 40.0


class Story:
    """The scenario's LAN, FRR on w1, w2 and r1, and agents that tell it."""

    def __init__(self, cluster: Cluster, lab: Lab) -> None:
        self.cluster = cluster
        self.remote = BgpRouter(lab, cluster.scenario)
        self.start("w1", "w2")
        cluster.wait_peers()
        self.settled()

    def start(self, *names: str) -> None:
        for name in names:
            agent = self.cluster.node(name).start_agent(
                self.cluster.folder(name), "--log-format", "text", "--bgp", "frr"
            )
            self.cluster.keep(name, agent)

    def settled(self) -> None:
        """w1 serves, and the router has both its adapters for both addresses."""
        self.cluster.wait_serves("w1/eth1")
        for name in self.remote.frrs:
            self.remote.wait_sessions(name)
        self.hops(*W1)

    def hops(self, *addresses: str) -> None:
        self.remote.wait_next_hops(self.cluster.vip, *addresses)
        self.remote.wait_next_hops(self.cluster.vips[1], *(LINK_LOCAL[address] for address in addresses))

    def advertised(self, name: str) -> bool:
        """Whether the node's own FRR has a line for it."""
        return "route-map vipa-" in self.remote.frrs[name].show("show running-config")


def test_routers_follow_adapters_agents_and_machines(lab: Lab) -> None:
    with Cluster(lab, stack="dual", failback="{policy: Immediate}") as cluster:
        story = Story(cluster, lab)
        probe = story.remote.client.udp_probe(cluster.vip, period_ms=5)
        cluster.wait_client(probe, "w1")
        status_tells(story)
        a_path_dies(story)
        frr_restarts(story)
        an_agent_stands_still(story)
        probe.stop()
        probe = story.remote.client.udp_probe(cluster.vip, period_ms=5)
        cluster.wait_client(probe, "w1")
        an_agent_stops(story)
        cluster.wait_client(probe, "w2")
        cluster.check_lossless(probe.stop())
        story.start("w1")
        story.settled()
        a_machine_dies(story)


def status_tells(story: Story) -> None:
    """Each session, whether BFD watches it, and what was sent there."""

    def told() -> bool:
        sessions = story.cluster.status("w1")["bgp"]
        states = {(each["peer"], each["state"], each["bfd"], each["advertised"]) for each in sessions}
        return states == {(peer, "Established", "Up", 2) for peer in ("10.1.1.1", "10.1.1.2")}

    until(told, lambda: str(story.cluster.status("w1")["bgp"]), SOON_S)
    assert story.cluster.status("w1")["frr"] == "Healthy"
    assert not story.advertised("w2"), "a spare does not accept it"


def a_path_dies(story: Story) -> None:
    """No carrier is lost, so only BFD and heartbeats can tell. First the adapter that answers ARP, then the other."""
    for dies, stays in (("w1/eth1", "10.1.1.5"), ("w1/eth2", "10.1.1.4")):
        story.cluster.nic(dies).port.block()
        story.hops(stays)
        story.cluster.nic(dies).port.unblock()
        story.settled()


def frr_restarts(story: Story) -> None:
    """It knows nothing of vipa then: nothing of it is in a file."""
    frr = story.remote.frrs["w1"]
    frr.stop()
    story.hops()
    frr.start()
    story.settled()


def an_agent_stands_still(story: Story) -> None:
    """The router prefers who took over, and the frozen agent's own FRR stops saying otherwise."""
    story.cluster.freeze("w1")
    story.cluster.wait_serves("w2/eth1")
    story.hops(*W2)
    until(lambda: not story.advertised("w1"), "the frozen agent's advertisement ends", SOON_S)
    story.cluster.thaw("w1")
    story.settled()


def an_agent_stops(story: Story) -> None:
    """It hands over, and routers are told before its address goes."""
    assert story.cluster.agents["w1"].terminate(LINGER_S + SOON_S) == 0
    story.hops(*W2)
    assert not story.advertised("w1")


def a_machine_dies(story: Story) -> None:
    """No farewell at all."""
    story.cluster.power_off("w1")
    story.hops(*W2)
