"""Adapters whose path fails, and new cards. The way through the preferred list and back is part of the tour in
test_agent_settings."""

from typing import Final

from vipa_lab.cluster import Cluster
from vipa_lab.cuts import Direction
from vipa_lab.lab import Lab

DIRECTIONS: Final[tuple[Direction, ...]] = ("from_nic", "to_nic")


def test_paths_that_fail_with_their_link_up_are_left_and_returned_to(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        session = cluster.client.tcp_probe(cluster.vip)
        cluster.wait_answered(session)
        port, other = (cluster.nic(endpoint).port for endpoint in ("w1/eth1", "w1/eth2"))

        port.block()
        cluster.wait_serves("w1/eth2")
        assert cluster.nic("w1/eth1").carrier()
        cluster.wait_healthy("w1/eth1", False)
        (blocked,) = [each for each in cluster.status("w1")["interfaces"] if each["name"] == "eth1"]
        assert blocked["reason"] == "PathSilent"
        port.unblock()
        cluster.wait_serves("w1/eth1")

        for direction in DIRECTIONS:  # it cannot send; it cannot hear
            port.cut(direction)
            cluster.wait_serves("w1/eth2")
            port.heal()
            cluster.wait_serves("w1/eth1")
        cluster.wait_answered(session)
        result = session.stop()
        assert (result.connects, result.resets) == (1, 0), "a session survives moves within the node"

        for each in (port, other):
            each.block()
        cluster.wait_serves("w2/eth1")
        assert cluster.bound_on("w1") == [], "an isolated node lets go of the address"
        for each in (port, other):
            each.unblock()
        cluster.wait_serves("w1/eth1")


def test_cards_are_replaced_by_ones_with_another_mac(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        card = cluster.nic("w1/eth1")
        old = card.mac
        card.delete()
        cluster.wait_serves("w1/eth2")
        (gone,) = [each for each in cluster.status("w1")["interfaces"] if each["name"] == "eth1"]
        assert (gone["healthy"], gone["reason"]) == (False, "InterfaceMissing")
        card.recreate("02:76:69:70:aa:01")
        cluster.wait_serves("w1/eth1")  # as seen by the cold client: the new MAC answers
        assert cluster.client.neighbour("10.1.1.7") != old
        (back,) = [each for each in cluster.status("w1")["interfaces"] if each["name"] == "eth1"]
        assert back["mac"] == "02:76:69:70:aa:01"
        probe = cluster.datagrams()
        cluster.wait_answered(probe, 200)
        cluster.check_lossless(probe.stop())

        # The only adapter of the holder.
        cluster.power_off("w1")
        cluster.wait_serves("w2/eth1")
        card = cluster.nic("w2/eth1")
        card.delete()
        cluster.wait(lambda: cluster.holders() == [], "nobody holds")
        card.recreate("02:76:69:70:aa:02")
        cluster.wait_serves("w2/eth1")
