"""IPv6 served by real agents on real kernels: beside IPv4, and alone."""

import time
from collections.abc import Callable

from vipa.timing import PROFILES, Timing
from vipa_lab import nd
from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.lab import Lab
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult
from vipa_lab.until import until

CALM = PROFILES[Timing.CALM]


def port(endpoint: str) -> str:
    """The switch's port of "w1/eth1"."""
    return endpoint.replace("/", "-")


def addresses(cluster: Cluster, node: str, address: str) -> list[str]:
    """What that machine's kernel says of an address, one line for each interface that has it."""
    return cluster.node(node).run(["ip", "-o", "addr", "show", "to", f"{address}/128"]).splitlines()


def datagrams(cluster: Cluster) -> list[Probe[ProbeResult]]:
    """A client for each address of the virtual IP, both answered already."""
    probes = [cluster.datagrams(address) for address in cluster.vips]
    for probe in probes:
        cluster.wait_answered(probe)
    return probes


def check_lossless(cluster: Cluster, probes: list[Probe[ProbeResult]]) -> None:
    for probe in probes:
        cluster.wait_answered(probe)
        cluster.check_lossless(probe.stop())


def check_leaks(cluster: Cluster, endpoint: str, since_s: float) -> None:
    """Since then, nobody but ``endpoint`` spoke for the virtual IP: no answer, announcement or question from it."""
    for address in cluster.vips:
        assert cluster.observer.leaks(address, (port(endpoint),), since_s) == []


def advertised(cluster: Cluster, endpoint: str, since_s: float) -> list[nd.Nd]:
    """Unsolicited advertisements of the virtual IP's IPv6 address that ``endpoint`` sent since then."""
    frames = cluster.observer.leaks(cluster.vips[-1], (), since_s)
    packets = [frame.packet for frame in frames if frame.port == port(endpoint)]
    everybody = nd.group_mac(nd.ALL_NODES)
    return [each for each in packets if isinstance(each, nd.Nd) and each.destination == everybody]


def check_answers(cluster: Cluster) -> None:
    """Whatever the question, only the elected adapter answers, w1/eth1; and it speaks from the address when nobody else
    does."""
    v6, first, second = cluster.vips[1], cluster.nic("w1/eth1"), cluster.nic("w1/eth2")
    ask = cluster.client.nd_asker  # a machine with no other asker, whose answers it would take
    assert ask(v6, count=5, form="unicast", to_mac=second.mac).wait(30).lost == 5
    assert ask(v6, count=5, form="unicast", to_mac=first.mac).wait(30).lost == 0
    assert {s.node for s in ask(v6, count=5, form="dad").wait(30).segments} == {first.mac}
    cluster.node("w1").flush_neighbours()
    for probe in datagrams(cluster):
        cluster.wait_answered(probe, 40)
        probe.stop()


def back_without_loss(cluster: Cluster, mend: Callable[[], None]) -> None:
    """Served by w1/eth2, until what was wrong with the better adapter is mended."""
    probes = datagrams(cluster)
    mend()
    cluster.wait_serves("w1/eth1")
    check_lossless(cluster, probes)


def test_both_versions_are_served_by_one_adapter(lab: Lab) -> None:
    with Cluster(lab, stack="dual") as cluster:
        w1, v6, first = cluster.node("w1"), cluster.vips[1], cluster.nic("w1/eth1")
        for node in cluster.scenario.nodes:
            node.set_ipv6_conf(accept_dad=1)  # as on real machines
        cluster.start_both()
        start_s = time.monotonic()
        for address in cluster.vips:
            assert [cluster.bound_on(node, address) for node in ("w1", "w2")] == [["eth1", "eth2"], []]
        for words in addresses(cluster, "w1", v6):
            assert "preferred_lft 0sec" in words
            assert "tentative" not in words
        announced = advertised(cluster, "w1/eth1", 0.0)
        assert announced
        assert not any(each.router for each in announced), "no router"
        assert all(each.override and each.link_address == first.mac for each in announced)
        check_answers(cluster)
        check_leaks(cluster, "w1/eth1", start_s)

        # Nobody chooses it as source.
        looks = [["ip", "-6", "route", "get", target] for target in ("fd00:a01:1::100", "fd00:99::1")]
        words = "".join(w1.run(look) for look in looks)
        assert f"src {v6} " not in words

        # Handed over to the other node, and taken back, without loss.
        probes = datagrams(cluster)
        assert cluster.agents["w1"].terminate(30) == 0
        assert cluster.leftovers("w1") == []
        moved_s = cluster.wait_serves("w2/eth1")
        check_leaks(cluster, "w2/eth1", moved_s)
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
        check_lossless(cluster, probes)


def test_both_versions_move_together_between_adapters_of_a_node(lab: Lab) -> None:
    with Cluster(lab, stack="dual") as cluster:
        first = cluster.nic("w1/eth1")
        cluster.start_both()
        cluster.node("w1").set_ipv6_conf(forwarding=1)

        # A cable pulled: sessions survive; back again without a datagram lost.
        session = cluster.client.tcp_probe(cluster.vips[1])
        cluster.wait_answered(session)
        pulled_s = time.monotonic()
        first.port.down()
        moved_s = cluster.wait_serves("w1/eth2")
        cluster.wait(lambda: any(a.router for a in advertised(cluster, "w1/eth2", pulled_s)), "it says router now")
        check_leaks(cluster, "w1/eth2", moved_s)
        back_without_loss(cluster, first.port.up)

        # A path that is silent with its link up: replies do not take it.
        first.port.block()
        moved_s = cluster.wait_serves("w1/eth2")
        for probe in datagrams(cluster):
            assert {segment.node for segment in probe.stop().segments} == {"w1"}
        check_leaks(cluster, "w1/eth2", moved_s)
        back_without_loss(cluster, first.port.unblock)
        cluster.wait_answered(session)
        within = session.stop()
        assert (within.connects, within.resets) == (1, 0), "a session survives moves within the node"


def test_an_agent_frozen_killed_or_without_power_is_silent_in_both_versions(lab: Lab) -> None:
    with Cluster(lab, stack="dual") as cluster:
        cluster.start_both()
        term, probes = cluster.erp("w1")["term"], datagrams(cluster)
        if cluster.restart("w1", CALM.permit_s - CALM.renew_s - CALM.interval_s, WAIT_S):
            cluster.wait_serves("w1/eth1")
            check_lossless(cluster, probes)
            assert cluster.erp("w1")["term"] == term
        cluster.wait_serves("w1/eth1")

        cluster.freeze("w1")
        moved_s = cluster.wait_serves("w2/eth1")
        cluster.thaw("w1")
        check_leaks(cluster, "w2/eth1", moved_s)
        cluster.wait_serves("w1/eth1")

        cluster.power_off("w1")
        cluster.wait_serves("w2/eth1")
        for probe in datagrams(cluster):
            assert {segment.node for segment in probe.stop().segments} == {"w2"}


def test_a_lan_without_ipv4_is_served_too(lab: Lab) -> None:
    with Cluster(lab, stack="ipv6") as cluster:
        cluster.start_both()
        assert cluster.bound_on("w1") == ["eth1", "eth2"]
        first = cluster.nic("w1/eth1")
        first.port.down()
        cluster.wait_serves("w1/eth2")
        probes = datagrams(cluster)
        first.port.up()
        cluster.wait_serves("w1/eth1")
        check_lossless(cluster, probes)

        # The kernel drops IPv6 addresses with the link.
        first.set_admin(up=False)
        cluster.wait_serves("w1/eth2")
        first.set_admin(up=True)
        cluster.wait(lambda: cluster.bound_on("w1") == ["eth1", "eth2"], "bound again")
        cluster.wait_serves("w1/eth1")

        cluster.power_off("w1")
        cluster.wait_serves("w2/eth1")


def test_who_else_has_the_address(lab: Lab) -> None:
    with Cluster(lab, stack="dual") as cluster:
        v6 = cluster.vips[1]
        printer = lab.add_station("printer")
        nic = printer.add_nic(cluster.scenario.lan, "10.1.1.50/24", "fd00:a01:1::50/64", f"{v6}/128")
        lab.settle()
        cluster.foreign.add(nic.mac)
        cluster.wait(lambda: cluster.scenario.router.nd_asker(v6, count=1).wait(30).lost == 0, "the printer answers")

        # It was there first: nobody claims, not even the IPv4 address.
        cluster.start("w1", "w2")
        for node in ("w1", "w2"):
            cluster.wait(lambda node=node: cluster.erp(node).get("conflict") == nic.mac, f"{node} sees it")  # type: ignore[misc]
        assert cluster.holders() == []
        assert cluster.erp("w1")["reason"] == "Conflict"
        assert [cluster.bound_on(node, v6) for node in ("w1", "w2")] == [[], []]
        nic.remove_address(f"{v6}/128")
        cluster.wait_serves("w1/eth1")

        # It comes later, and looks first: it is told.
        printer.set_ipv6_conf(accept_dad=1)
        nic.add_address(f"{v6}/128", dad=True)
        until(lambda: "dadfailed" in printer.run(["ip", "-6", "-o", "addr", "show", "to", f"{v6}/128"]), "it gives up")
        nic.remove_address(f"{v6}/128")

        # It comes later, and does not look: defended, with nothing moved.
        term, mark_s = cluster.erp("w1")["term"], time.monotonic()
        nic.send(nd.advertisement(nic.mac, v6))
        cluster.wait(lambda: cluster.erp("w1")["conflict"] == nic.mac, "w1 sees it")
        cluster.wait(lambda: bool(advertised(cluster, "w1/eth1", mark_s)), "w1 announces again")
        assert cluster.erp("w1")["term"] == term
