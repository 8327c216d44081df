"""Two agents of one node side by side, as in a rolling update: the new one adopts from the old without a gap."""

import sys
import time

from vipa.timing import PROFILES, Timing
from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.lab import Lab

CALM = PROFILES[Timing.CALM]


def readiness(cluster: Cluster, seen_from: str) -> int | None:
    """What a probe in a container on ``seen_from`` says of the agent whose state dir is w1's."""
    state = ["--state-dir", str(cluster.node("w1").state_dir)]
    return (
        cluster.node(seen_from).start([sys.executable, "-m", "vipa_agent.main", "ready", *state], "ready").wait(WAIT_S)
    )


def test_new_agents_take_over_on_their_nodes_and_nothing_moves(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        term, moves = cluster.erp("w1")["term"], len(cluster.moves("w2"))
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        for _ in range(2):
            old = cluster.agents["w1"]
            cluster.start("w1")
            cluster.agents["w1"].wait_output("started", WAIT_S)
            cluster.wait_serves("w1/eth1")
            assert old.alive, f"a pod's container that exits is started again: {old.last_words()}"
            assert "reason=Adopted" in cluster.agents["w1"].output()
            assert old.terminate() == 0
        assert readiness(cluster, "w1") == 0
        assert readiness(cluster, "w2") == 1, "an agent of other processes answers there"
        old = cluster.agents["w2"]
        cluster.start("w2")
        cluster.agents["w2"].wait_output("started", WAIT_S)
        assert old.terminate() == 0
        cluster.wait_peers()
        cluster.hold("w1/eth1", CALM.permit_s + CALM.silence_s)
        assert (cluster.erp("w1")["term"], len(cluster.moves("w2"))) == (term, moves)
        cluster.check_lossless(probe.stop())
        cluster.power_off("w1")  # the new spare is one
        cluster.wait_serves("w2/eth1")
        assert cluster.served() == ["w1/eth1", "w2/eth1"]


def test_the_new_agent_crashes_and_the_retired_one_serves_again(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        old = cluster.agents["w1"]
        cluster.start("w1")
        cluster.agents["w1"].wait_output("started", WAIT_S)
        cluster.wait_serves("w1/eth1")
        cluster.agents["w1"].kill()
        cluster.agents["w1"] = old
        cluster.wait(lambda: "serving again" in old.output(), "the retired agent sees that the lock is free")
        cluster.wait_serves("w1/eth1")  # adopted, or taken over by w2 and given back
        assert old.terminate(20) == 0
        cluster.wait_serves("w2/eth1")


def test_a_frozen_agent_is_not_taken_for_gone(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        old = cluster.agents["w1"]
        cluster.freeze("w1")
        frozen_s = time.monotonic()
        cluster.start("w1")
        waiting = cluster.agents["w1"]
        waiting.wait_output("does not yield yet", WAIT_S)
        assert waiting.terminate(WAIT_S) == 0, "who waits to serve ends when it is asked to"
        assert "started" not in waiting.output()
        cluster.start("w1")
        new = cluster.agents["w1"]
        cluster.wait_serves("w2/eth1")  # its permit ends, as that of any frozen agent
        new.wait_output("does not yield yet", WAIT_S)
        cluster.wait(lambda: time.monotonic() - frozen_s >= CALM.permit_s * 2, "long after the permit")
        assert "started" not in new.output()
        old.thaw()
        cluster.thaw("w1")
        new.wait_output("started", WAIT_S)
        cluster.wait_serves("w1/eth1")  # by failback
        assert old.terminate(20) == 0
