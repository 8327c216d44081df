"""When a better adapter is back: at once, after its delay, or never; and planned moves that lose nothing. Failback with
a delay within the node is part of the tour in test_agent_settings."""

import time

from vipa.timing import PROFILES, Timing
from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab

DELAY_S = 2.0
DELAYED = f"{{policy: Delayed, delay: {DELAY_S:g}s}}"
# An Immediate failback begins with the next heartbeats.
STAYS_S = 5 * PROFILES[Timing.CALM].interval_s


def test_failback_waits_for_its_delay_across_nodes_and_loses_nothing(lab: Lab) -> None:
    with Cluster(lab, failback=DELAYED) as cluster:
        cluster.start_both()
        ports = [cluster.nic(endpoint).port for endpoint in ("w1/eth1", "w1/eth2")]
        for port in ports:
            port.down()
        cluster.wait_serves("w2/eth1")
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        back_s = time.monotonic()
        for port in ports:
            port.up()
        assert cluster.wait_serves("w1/eth1") - back_s >= DELAY_S
        cluster.wait_client(probe, "w1")
        result = probe.stop()
        cluster.check_lossless(result)
        assert [segment.node for segment in result.segments] == ["w2", "w1"]


def test_failback_at_once_across_nodes_loses_nothing(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start("w2")
        cluster.wait_serves("w2/eth1")
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
        cluster.wait_answered(probe)
        cluster.agents["w1"].terminate(20)
        cluster.wait_serves("w2/eth1")
        cluster.wait_answered(probe)
        result = probe.stop()
        cluster.check_lossless(result)
        assert [segment.node for segment in result.segments] == ["w2", "w1", "w2"]


def test_failback_never_stays_where_it_is_until_that_fails(lab: Lab) -> None:
    with Cluster(lab, failback="{policy: Never}") as cluster:
        cluster.start_both()
        first, second = cluster.nic("w1/eth1").port, cluster.nic("w1/eth2").port
        first.down()
        cluster.wait_serves("w1/eth2")
        first.up()
        cluster.wait_healthy("w1/eth1")
        cluster.hold("w1/eth2", STAYS_S)
        second.down()
        cluster.wait_serves("w1/eth1")
        first.down()
        cluster.wait_serves("w2/eth1")
        first.up()
        second.up()
        cluster.wait_healthy("w1/eth1")
        cluster.hold("w2/eth1", STAYS_S)
        cluster.agents["w2"].terminate(20)
        cluster.wait_serves("w1/eth1")
        assert cluster.served() == ["w1/eth1", "w1/eth2", "w1/eth1", "w2/eth1", "w1/eth1"]
