"""One tour through all faults on each combination of the kernel settings that change who answers and what is accepted:
strict, loose and no reverse-path filter, and answering for the receiving interface's addresses only or for all."""

import time

import pytest

from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult

FROZEN_S = 3.0
"""Well beyond the permit: 0.5 s at Default, 2 s at Calm."""


@pytest.mark.slow
@pytest.mark.parametrize("arp_ignore", [0, 1])
@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_grand_tour(lab: Lab, rp_filter: int, arp_ignore: int) -> None:
    with Cluster(lab) as cluster:
        for node in cluster.scenario.nodes:
            node.set_ipv4_conf(rp_filter=rp_filter, arp_ignore=arp_ignore)
        cluster.start_both()
        probe = cluster.datagrams()
        adapters(cluster, probe)
        power(cluster, probe)
        killed(cluster, probe)
        frozen(cluster, probe)
        result = probe.stop()
        assert {segment.node for segment in result.segments} == {"w1", "w2"}


def adapters(cluster: Cluster, probe: Probe[ProbeResult]) -> None:
    """Carrier and path of each adapter, in order and back; a session lives through the moves within w1."""
    session = cluster.client.tcp_probe(cluster.vip)
    cluster.wait_client(session, "w1")
    first, second = cluster.nic("w1/eth1").port, cluster.nic("w1/eth2").port
    for fail, mend in ((first.down, first.up), (first.block, first.unblock)):
        fail()
        cluster.wait_serves("w1/eth2")
        cluster.wait_client(probe, "w1")
        cluster.wait_answered(session)
        mend()
        cluster.wait_serves("w1/eth1")
        cluster.wait_client(probe, "w1")
        cluster.wait_answered(session)
    result = session.stop()
    assert (result.connects, result.resets) == (1, 0), "a session survives moves within the node"
    first.down()
    second.block()
    cluster.wait_serves("w2/eth1")
    cluster.wait_client(probe, "w2")
    second.unblock()
    cluster.wait_serves("w1/eth2")
    first.up()
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")


def power(cluster: Cluster, probe: Probe[ProbeResult]) -> None:
    cluster.power_off("w1")
    cluster.wait_serves("w2/eth1")
    cluster.wait_client(probe, "w2")
    cluster.boot("w1")
    cluster.start("w1")
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")


def killed(cluster: Cluster, probe: Probe[ProbeResult]) -> None:
    cluster.agents["w1"].kill()
    cluster.wait_serves("w2/eth1")
    cluster.wait_client(probe, "w2")
    cluster.start("w1")
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")


def frozen(cluster: Cluster, probe: Probe[ProbeResult]) -> None:
    frozen_s = time.monotonic()
    cluster.freeze("w1")
    cluster.wait_serves("w2/eth1")
    cluster.wait(lambda: time.monotonic() - frozen_s >= FROZEN_S, "time passes")
    cluster.thaw("w1")
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")
