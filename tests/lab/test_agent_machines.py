"""Machines and agents that die, come back, and start at the same time. The holder's agent frozen, or back within its
permit, is part of the tour in test_agent_settings."""

import time

from vipa.timing import PROFILES, Timing, claim_delay_s
from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab

CALM = PROFILES[Timing.CALM]
# What a busy machine adds to a figure; measured figures are the business of make bench-failover.
SLACK_S = 5.0


def test_an_agent_is_killed_and_stays_dead_then_a_machine_loses_power_and_boots(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        killed_s = time.monotonic()
        cluster.agents["w1"].kill()
        taken_s = cluster.wait_serves("w2/eth1")
        assert taken_s - killed_s < CALM.permit_s + claim_delay_s(CALM, 1) + SLACK_S
        cluster.wait_client(probe, "w2")
        result = probe.stop()
        assert result.lost <= 5, f"the dead agent's kernel serves who knows its MAC: {result.outages}"
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")

        off_s = time.monotonic()
        cluster.power_off("w1")
        taken_s = cluster.wait_serves("w2/eth1")
        assert taken_s - off_s < CALM.silence_s + CALM.interval_s + claim_delay_s(CALM, 1) + SLACK_S
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        cluster.boot("w1")
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
        cluster.wait_answered(probe)
        result = probe.stop()
        cluster.check_lossless(result)
        assert [segment.node for segment in result.segments][-1] == "w1"


def test_the_spare_is_frozen_thawed_and_loses_power_and_nobody_notices(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        term = cluster.erp("w1")["term"]
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        cluster.freeze("w2")
        cluster.hold("w1/eth1", 2.0)
        cluster.thaw("w2")
        cluster.hold("w1/eth1", 1.0)
        cluster.wait_serves("w1/eth1")
        cluster.wait_peers()
        cluster.power_off("w2")
        cluster.wait(lambda: not cluster.status("w1")["peers"][0]["alive"], "w1 misses w2")
        cluster.hold("w1/eth1", CALM.silence_s)
        cluster.check_lossless(probe.stop())
        assert cluster.erp("w1")["term"] == term


def test_both_agents_start_at_the_same_time_and_again_on_what_they_left_long_ago(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start("w1", "w2")
        cluster.wait_serves("w1/eth1")
        cluster.hold("w1/eth1", CALM.silence_s)
        for agent in cluster.agents.values():
            agent.kill()
        cluster.wait(lambda: not cluster.answerer(), "the permit has ended")
        assert cluster.bound_on("w1") != []
        cluster.start("w1", "w2")
        cluster.wait_serves("w1/eth1")
        cluster.hold("w1/eth1", CALM.silence_s)
        assert cluster.erp("w1")["reason"] != "Adopted"
