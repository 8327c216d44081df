"""Planned moves while the machine is busy, while *go* and its like get lost, and while an adapter fails just then."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list
from vipa_lab.nftables import run_nft

BUSY = "while True: pass"
W1_FIRST = ("10.1.1.4", "10.1.1.5", "10.1.1.6")
W2_FIRST = ("10.1.1.6", "10.1.1.4", "10.1.1.5")

# Of each direction and path every second heartbeat is lost: an offer, a ready, a go, a Holder in every move.
LOSSY = """
add table bridge heartbeats
add chain bridge heartbeats forward { type filter hook forward priority 1; }
add rule bridge heartbeats forward iifname "w1-eth1" udp dport 7117 numgen inc mod 2 == 0 drop
add rule bridge heartbeats forward iifname "w1-eth2" udp dport 7117 numgen inc mod 2 == 0 drop
add rule bridge heartbeats forward iifname "w2-eth1" udp dport 7117 numgen inc mod 2 == 0 drop
"""


@contextmanager
def busy(cluster: Cluster) -> Iterator[None]:
    """One program that never rests for each of two cores."""
    programs = [cluster.node(name).start([sys.executable, "-c", BUSY], "busy") for name in ("w1", "w2")]
    yield
    for program in programs:
        program.kill()


@contextmanager
def lossy(cluster: Cluster) -> Iterator[None]:
    switch = cluster.scenario.lan.namespace
    switch.call(lambda: run_nft(LOSSY))
    yield
    switch.call(lambda: run_nft("delete table bridge heartbeats"))


def prefer(cluster: Cluster, *addresses: str) -> None:
    """What ``vipa move`` and a drain come to: another order of candidates."""
    cluster.write("list.yaml", preferred_list(*addresses))


def there_and_back(cluster: Cluster) -> None:
    """Two moves by the list; nothing may be lost."""
    probe = cluster.datagrams()
    cluster.wait_answered(probe)
    prefer(cluster, *W2_FIRST)
    cluster.wait_serves("w2/eth1")
    cluster.wait_client(probe, "w2")
    prefer(cluster, *W1_FIRST)
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")
    result = probe.stop()
    cluster.check_lossless(result)
    assert [segment.node for segment in result.segments] == ["w1", "w2", "w1"]


def test_planned_moves_lose_nothing_while_the_machine_is_busy_and_heartbeats_are_lost(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        with busy(cluster):
            there_and_back(cluster)
            probe = cluster.datagrams()
            cluster.wait_answered(probe)
            assert cluster.agents["w1"].terminate(WAIT_S) == 0
            cluster.wait_serves("w2/eth1")
            cluster.start("w1")
            cluster.wait_serves("w1/eth1")
            cluster.wait_client(probe, "w1")
            cluster.check_lossless(probe.stop())
        with lossy(cluster):
            there_and_back(cluster)
        assert {*cluster.moves("w1")[1:], *cluster.moves("w2")} == {"HandedOver"}


def test_an_adapter_that_fails_in_the_middle_of_a_move_leaves_one_holder(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        giver, taker = cluster.nic("w1/eth1").port, cluster.nic("w2/eth1").port
        prefer(cluster, *W2_FIRST)
        giver.down()
        cluster.wait_serves("w2/eth1")
        giver.up()
        prefer(cluster, *W1_FIRST)
        cluster.wait_serves("w1/eth1")

        prefer(cluster, *W2_FIRST)
        cluster.wait(
            lambda: "new=Yielding" in cluster.agents["w1"].output(), "w1 has begun to hand over", every_s=0.001
        )
        taker.down()
        cluster.wait_serves("w1/eth1")
        taker.up()
        cluster.wait_serves("w2/eth1")
