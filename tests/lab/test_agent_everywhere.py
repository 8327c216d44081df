"""Figure 3: one address on two machines, remote clients behind a router that spreads them, clients on the LAN."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from vipa.election.copies import LINGER_S
from vipa_lab.answered import answered_by
from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list
from vipa_lab.remote import Remote
from vipa_lab.stack import of_stack

EXAMPLE = Path(__file__).parents[2] / "examples" / "figure-3.yaml"
ALL = ("w1/eth1", "w1/eth2", "w2/eth1")
FLOWS = 60
"""By chance alone none of them on w2, or none on w1, is a matter of 1e-10."""


class Figure3(Cluster):
    """A remote client behind r1, which routes the virtual IP to the hops it is told."""

    def __init__(self, lab: Lab, **vip: str) -> None:
        super().__init__(lab, stack="dual", binding="EveryCandidate", **vip)
        self.remote = Remote(lab, self.scenario)
        for node in self.scenario.nodes:
            node.set_ipv4_conf(rp_filter=1)

    def route(self, *endpoints: str) -> None:
        """The router's daemon: from now on the virtual IP is behind these adapters."""
        for address in self.vips:
            hops = (self.nic(e).address6 if ":" in address else self.nic(e).address for e in endpoints)
            words = [word for hop in hops for word in ("nexthop", "via", hop)]
            self.scenario.router.run(["ip", "-6" if ":" in address else "-4", "route", "replace", address, *words])

    def check_spread(self, *endpoints: str) -> None:
        """Remote clients are answered by the machines of these adapters, and by each of them."""
        self.route(*endpoints)
        for address in self.vips:
            found = answered_by(self.remote.client, address, FLOWS)
            assert set(found) == {e.partition("/")[0] for e in endpoints}, (address, endpoints, found)

    def check_each(self, *endpoints: str) -> None:
        """Every one of these adapters takes remote traffic, and all together do."""
        for endpoint in endpoints:
            self.check_spread(endpoint)
        self.check_spread(*endpoints)

    def check_copies(self) -> None:
        """All adapters of both machines have the addresses; no IPv6 one is a source, or ever was tentative."""
        for address in self.vips:
            assert [self.bound_on(node, address) for node in ("w1", "w2")] == [["eth1", "eth2"], ["eth1"]]
        for node in ("w1", "w2"):
            for line in (
                self.node(node).run(["ip", "-o", "-6", "addr", "show", "to", f"{self.vips[1]}/128"]).splitlines()
            ):
                assert "preferred_lft 0sec" in line
                assert "tentative" not in line

    def check_leaks(self, endpoint: str, since_s: float) -> None:
        """Since then nobody but ``endpoint`` spoke for the addresses, in ARP or neighbour discovery."""
        for address in self.vips:
            assert self.observer.leaks(address, (endpoint.replace("/", "-"),), since_s) == []

    def check_local(self, endpoint: str) -> None:
        """A client on the LAN is answered by that machine, and the machines' own clients by themselves."""
        for address in self.vips:
            self.client.flush_neighbours()
            assert set(answered_by(self.client, address, 8)) == {endpoint.partition("/")[0]}
            for node in ("w1", "w2"):
                assert set(answered_by(self.node(node), address, 4)) == {node}, "its own copy"

    def changes(self, node: str) -> Callable[[], list[str]]:
        """Tells which of the virtual IP's addresses were defined or removed on that machine since."""
        monitor = self.node(node).start(["ip", "-o", "monitor", "address"], "monitor")
        wanted = tuple(f" {address}/" for address in self.vips)
        return lambda: [line for line in monitor.output().splitlines() if any(w in line for w in wanted)]


def test_one_address_on_two_machines(lab: Lab) -> None:
    with Figure3(lab) as cluster:
        for node in cluster.scenario.nodes:  # whatever makes a kernel speak up by itself
            node.set_ipv4_conf(arp_notify=1)
            node.set_ipv6_conf(accept_dad=1, ndisc_notify=1)
        cluster.start_both()
        cluster.check_copies()
        changes = [cluster.changes(node) for node in ("w1", "w2")]
        cluster.check_each(*ALL)
        cluster.check_local("w1/eth1")
        cluster.check_leaks("w1/eth1", 0.0)

        # Each adapter in turn: who answers ARP moves if it has to, remote clients go to the others.
        first, second, third = (cluster.nic(endpoint) for endpoint in ALL)
        first.port.down()
        moved_s = cluster.wait_serves("w1/eth2")
        cluster.check_each("w1/eth2", "w2/eth1")
        cluster.check_local("w1/eth2")
        cluster.check_leaks("w1/eth2", moved_s)
        first.port.up()
        moved_s = cluster.wait_serves("w1/eth1")

        second.port.block()
        cluster.wait_healthy("w1/eth2", False)
        cluster.check_each("w1/eth1", "w2/eth1")
        second.port.unblock()
        third.port.down()
        cluster.wait_healthy("w2/eth1", False)
        cluster.wait_healthy("w1/eth2")
        cluster.check_each("w1/eth1", "w1/eth2")
        third.port.up()
        cluster.wait_healthy("w2/eth1")
        cluster.check_leaks("w1/eth1", moved_s)

        # All of one machine: the other has the address already.
        first.port.down()
        second.port.down()
        moved_s = cluster.wait_serves("w2/eth1")
        cluster.check_spread("w2/eth1")
        cluster.check_local("w2/eth1")
        first.port.up()
        second.port.up()
        cluster.check_leaks("w2/eth1", moved_s)
        cluster.wait_serves("w1/eth1")

        # The machine with two adapters does not answer ARP: its replies leave by the adapter that is well.
        cluster.write("list.yaml", preferred_list(*(cluster.nic(e).address for e in ("w2/eth1", "w1/eth1", "w1/eth2"))))
        moved_s = cluster.wait_serves("w2/eth1")
        first.port.block()
        cluster.wait_healthy("w1/eth1", False)
        cluster.check_each("w1/eth2", "w2/eth1")
        cluster.check_leaks("w2/eth1", moved_s)
        first.port.unblock()
        cluster.write("list.yaml", preferred_list(*cluster.scenario.preferred))
        cluster.wait_serves("w1/eth1")

        # A new agent finds the copy where the one before left it.
        cluster.agents["w2"].kill()
        cluster.start("w2")
        cluster.wait(lambda: bool(cluster.erp("w2").get("copy")), "w2 has its copy")
        cluster.wait_peers()
        cluster.check_each(*ALL)
        assert [told() for told in changes] == [[], []], "nothing was defined or removed all the time"

        # The kernel takes IPv6 addresses away with the link, and they come back.
        third.set_admin(up=False)
        cluster.wait(lambda: cluster.bound_on("w2", cluster.vips[1]) == [], "the link is down")
        third.set_admin(up=True)
        for gateway in of_stack("dual", "10.1.1.1"):  # which went with the link
            cluster.node("w2").add_route("default", gateway)
        cluster.wait(lambda: cluster.bound_on("w2", cluster.vips[1]) == ["eth1"], "its copy is back")
        cluster.wait_healthy("w2/eth1")

        # Told to stop, a machine serves for a while what the router still sends, then nothing is left.
        cluster.route("w2/eth1")
        probe = cluster.remote.client.udp_probe(cluster.vip, period_ms=5)
        cluster.wait_client(probe, "w2")
        told_s = time.monotonic()
        os.kill(cluster.agents["w2"].pid, signal.SIGTERM)
        time.sleep(LINGER_S / 3)
        cluster.route("w1/eth1", "w1/eth2")
        in_time = time.monotonic() < told_s + LINGER_S * 2 / 3  # else this machine is too busy to say anything
        assert cluster.agents["w2"].wait(30) == 0
        assert cluster.leftovers("w2") == []
        cluster.wait_client(probe, "w1")
        result = probe.stop()
        assert result.lost == 0 or not in_time, result.outages


def test_the_example_without_a_list_and_a_router_that_finds_out(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        remote = Remote(lab, cluster.scenario)
        text = EXAMPLE.read_text().replace("binding:", "timing: Calm\n  binding:")
        assert text.count("timing: Calm") == 1
        (cluster.manifests / "list.yaml").unlink()
        cluster.write("erp.yaml", text)
        cluster.start("w1", "w2")
        remote.start()
        cluster.wait(lambda: cluster.answerer() in ("w1/eth1", "w1/eth2"), "the machine with two adapters answers")
        hops = [cluster.nic(endpoint).address for endpoint in ALL]
        cluster.wait(lambda: sorted(remote.route(cluster.vip)) == hops, "the router knows all adapters")
        assert set(answered_by(remote.client, cluster.vip, FLOWS)) == {"w1", "w2"}
        cluster.power_off("w2")
        cluster.wait(lambda: sorted(remote.route(cluster.vip)) == hops[:2], "the router has left w2 out")
        assert set(answered_by(remote.client, cluster.vip, FLOWS)) == {"w1"}
