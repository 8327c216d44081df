"""Figure 1 with real agents: remote clients behind a router on which vipa-router runs, local clients beside them."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab
from vipa_lab.remote import Remote
from vipa_lab.scenario import figure_1_lab
from vipa_lab.until import until
from vipa_lab.within import within

METRICS = "127.0.0.1:9117"
BOTH, LAST = ["10.1.1.4", "10.1.1.5"], ["10.1.1.6"]
FLOWS = 10_000
EXAMPLE = Path(__file__).parents[2] / "examples/figure-1.yaml"


class Site(Cluster):
    """The scenario with strict reverse-path checks, agents that answer over HTTP, and the router."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab, stack="dual")
        self.remote = Remote(lab, self.scenario)
        for node in self.scenario.nodes:
            node.set_ipv4_conf(rp_filter=1)
        for name in ("w1", "w2"):
            words = ("--log-format", "text", "--metrics", METRICS)
            self.keep(name, self.node(name).start_agent(self.manifests, *words))

    def wait_routes(self, *wanted: str) -> None:
        """Until the kernel's routes lead there, in both families."""
        six = [f"fd00:a01:1::{address.rpartition('.')[2]}" if "." in address else address for address in wanted]
        for vip, hops in zip(self.vips, (list(wanted), six), strict=True):
            until(
                lambda vip=vip, hops=hops: self.remote.route(vip) == hops,  # type: ignore[misc]
                lambda vip=vip, hops=hops: f"{vip} to {hops}; it is {self.remote.route(vip)}",  # type: ignore[misc]
                WAIT_S,
            )

    def ask(self, name: str, path: str) -> Any:  # noqa: ANN401 - JSON
        def get() -> Any:  # noqa: ANN401
            with urllib.request.urlopen(f"http://{METRICS}{path}", timeout=WAIT_S) as answer:
                return json.loads(answer.read())

        return within(self.node(name), get)


def test_remote_clients_reach_every_healthy_adapter_and_local_ones_keep_asking_by_arp(lab: Lab) -> None:
    with Site(lab) as site:
        site.remote.start()
        site.wait_serves("w1/eth1")
        site.wait_routes(*BOTH)
        local = site.datagrams()
        near, near6 = (site.remote.client.udp_probe(vip, period_ms=5) for vip in site.vips)
        session = site.remote.client.tcp_probe(site.vip)
        for probe in (local, near, near6, session):
            site.wait_answered(probe)

        site.nic("w1/eth1").port.down()
        site.wait_routes("10.1.1.5")
        for probe in (local, near, near6, session):
            site.wait_answered(probe)
        assert site.ask("w1", "/nexthops/erp")["virtualIP"]["nextHops"] == ["10.1.1.5", "fd00:a01:1::5"]
        told = site.ask("w2", "/nexthops/erp")
        assert (told["virtualIP"]["holder"], told["virtualIP"]["nextHops"]) == ("w1", ["10.1.1.5"])
        site.nic("w1/eth1").port.up()
        assert site.ask("w2", f"/nexthops/erp?after={told['edition']}")["virtualIP"]["nextHops"] == BOTH
        site.wait_routes(*BOTH)

        site.nic("w1/eth2").port.block()
        site.wait_routes("10.1.1.4")
        for probe in (local, near, near6, session):
            site.wait_answered(probe)
        assert session.stop().resets == 0, "a session survives moves within the node"

        site.power_off("w1")
        site.wait_client(near, "w2")
        site.wait_routes(*LAST)
        for probe in (local, near6):
            site.wait_client(probe, "w2")


def test_figure_1_spreads_its_clients_evenly(lab: Lab) -> None:
    scenario = figure_1_lab(lab)
    (system,) = scenario.nodes
    system.set_ipv4_conf(rp_filter=1)
    remote = Remote(lab, scenario)
    manifests = lab.work_dir / "manifests"
    manifests.mkdir()
    calm = EXAMPLE.read_text().replace("  preferredInterfaceList:", "  timing: Calm\n  preferredInterfaceList:", 1)
    (manifests / EXAMPLE.name).write_text(calm)  # as written, but for a busy machine
    agent = system.start_agent(manifests)
    remote.start()
    wanted = ["10.1.1.4", "10.1.1.5", "10.1.1.6"]
    until(lambda: remote.route(scenario.vip) == wanted, agent.last_words, WAIT_S)
    # each adapter is accepted on and answered from, whichever is elected and wherever the default route is
    counted = remote.spread(scenario, scenario.vip, FLOWS)
    even = sum(counted.values()) / len(wanted)
    assert counted.keys() == {"w1/eth1", "w1/eth2", "w1/eth3"}
    assert all(abs(count - even) < 0.1 * even for count in counted.values()), counted


def test_the_daemon_leaves_routes_when_it_ends_and_takes_none_but_its_own_away(lab: Lab) -> None:
    with Site(lab) as site:
        router = site.remote.router
        router.run(["ip", "route", "add", "10.1.1.9/32", "via", "10.1.1.200"])
        router.run(["ip", "nexthop", "add", "id", "55", "via", "10.1.1.201", "dev", "eth1"])
        daemon = site.remote.start()
        site.wait_serves("w1/eth1")
        site.wait_routes(*BOTH)
        assert site.status("w1")["routers"] == ["r1"]
        assert "10.1.1.7 → 10.1.1.4, 10.1.1.5" in site.remote.command("status")
        with pytest.raises(LabError, match="stop it first"):
            site.remote.command("cleanup")

        router.run(["ip", "route", "del", "10.1.1.7/32", "proto", "117"])  # somebody meddles
        site.wait_routes(*BOTH)
        daemon.terminate()
        assert site.remote.route(site.vip) == BOTH
        site.remote.start()
        until(lambda: "w1" in site.remote.status().get("nodes", ()), "w1 is heard", WAIT_S)
        site.wait_routes(*BOTH)

        site.agents["w2"].terminate()
        site.agents["w1"].terminate()  # it serves nothing any more, and says so
        site.wait_routes("unreachable")
        assert site.remote.daemon is not None
        site.remote.daemon.terminate()
        assert "2 routes removed" in site.remote.command("cleanup")
        left = router.run(["ip", "nexthop"]) + router.run(["ip", "route"])
        assert "10.1.1.7" not in left
        assert "id 55 via 10.1.1.201" in left
        assert "10.1.1.9 via 10.1.1.200" in left


def test_a_router_without_the_key_is_told_nothing(lab: Lab) -> None:
    other = lab.work_dir / "other.key"
    other.write_text("other:" + "x" * 32 + "\n")
    with Site(lab) as site:
        site.remote.start("--key-file", str(other), "--cluster", "x")
        site.wait_serves("w1/eth1")
        until(lambda: site.status("w1")["heartbeats"].get("cluster", 0) > 2, "asks are refused", WAIT_S)
        assert site.remote.status()["nodes"] == site.status("w1")["routers"] == []
        with pytest.raises(urllib.error.HTTPError, match="404"):
            site.ask("w1", "/nexthops/nobody")
