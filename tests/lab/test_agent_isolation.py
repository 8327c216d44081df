"""One-way faults, deaf spares, ports that do not forward yet, a LAN dead beyond its first switch: nobody steals an
address that is served well, and nobody keeps one that it cannot serve."""

import time
from typing import Final

from vipa.timing import PROFILES, Timing, claim_delay_s
from vipa_lab.cluster import Cluster
from vipa_lab.cuts import Direction
from vipa_lab.lab import Lab

CALM = PROFILES[Timing.CALM]
# Long enough for a spare that would: silence and probes, twice over.
TEMPTED_S = 2 * (CALM.silence_s + claim_delay_s(CALM, 1))
FORWARD_DELAY_S = 2.0
DIRECTIONS: Final[tuple[Direction, ...]] = ("to_nic", "from_nic")


def test_the_deaf_and_the_mute_steal_nothing_and_keep_nothing(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        term = cluster.erp("w1")["term"]
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        spare = cluster.nic("w2/eth1").port
        for direction in DIRECTIONS:
            spare.cut(direction)
            cluster.wait_healthy("w2/eth1", False)
            cluster.hold("w1/eth1", TEMPTED_S)
            assert cluster.erp("w2")["role"] != "Holder", direction
            spare.heal()
            cluster.wait_healthy("w2/eth1")
        cluster.check_lossless(probe.stop())
        assert (cluster.erp("w1")["term"], cluster.moves("w2")) == (term, [])
        ports = [cluster.nic(endpoint).port for endpoint in ("w1/eth1", "w1/eth2")]
        for direction in DIRECTIONS:
            for port in ports:
                port.cut(direction)
            cluster.wait_serves("w2/eth1")
            assert cluster.bound_on("w1") == [], direction
            for port in ports:
                port.heal()
            cluster.wait_serves("w1/eth1")


def test_a_port_that_does_not_forward_yet_and_a_trunk_that_is_cut(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        lan, edge = cluster.scenario.lan, lab.add_switch("edge")
        card = cluster.nic("w1/eth1")
        card.delete()
        card.port = edge.add_port("w1-eth1")
        card.recreate()
        trunk = lan.join(edge, lab.next_index())
        lab.settle()
        cluster.start_both()

        trunk.block()
        cluster.wait_serves("w1/eth2")
        assert card.carrier()
        cluster.wait_healthy("w1/eth1", False)
        trunk.unblock()
        cluster.wait_serves("w1/eth1")

        edge.span(FORWARD_DELAY_S)
        card.port.down()
        cluster.wait_serves("w1/eth2")
        back_s = time.monotonic()
        card.port.up()
        cluster.hold("w1/eth2", 2 * FORWARD_DELAY_S - 0.5)
        assert card.carrier()
        assert cluster.wait_serves("w1/eth1") - back_s > 2 * FORWARD_DELAY_S - 0.1

        # alone beyond the trunk, with its other adapter gone: it sees a link and nobody
        cluster.nic("w1/eth2").port.down()
        trunk.block()
        cluster.wait_serves("w2/eth1")
        assert cluster.bound_on("w1") == []
