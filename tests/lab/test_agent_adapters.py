"""The preferred list 10.1.1.4 → .5 → .6, adapter by adapter: order, sessions, paths, a new card."""

from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab


def test_adapters_fail_in_order_and_return_in_order(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        session = cluster.client.tcp_probe(cluster.vip)
        cluster.wait_answered(session)
        cable, other_cable = cluster.nic("w1/eth1").port, cluster.nic("w1/eth2").port

        cable.down()
        cluster.wait_serves("w1/eth2")
        (pulled,) = [each for each in cluster.status("w1")["interfaces"] if each["name"] == "eth1"]
        assert pulled["reason"] == "LinkDown"
        cable.up()
        cluster.wait_serves("w1/eth1")
        cluster.wait_answered(session)
        within = session.stop()
        assert (within.connects, within.resets) == (1, 0), "a session survives moves within the node"

        cable.down()
        cluster.wait_serves("w1/eth2")
        other_cable.down()
        cluster.wait_serves("w2/eth1")
        assert cluster.erp("w1")["role"] == "Excluded"
        other_cable.up()
        cluster.wait_serves("w1/eth2")
        cable.up()
        cluster.wait_serves("w1/eth1")
        assert cluster.erp("w1")["reason"] == "TopOfList"
        first, second, third = "w1/eth1", "w1/eth2", "w2/eth1"
        assert cluster.served() == [first, second, first, second, third, second, first]


def test_a_blocked_port_with_its_link_up_is_left_by_silence(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        session = cluster.client.tcp_probe(cluster.vip)
        cluster.wait_answered(session)
        port = cluster.nic("w1/eth1").port

        port.block()
        cluster.wait_serves("w1/eth2")
        assert cluster.nic("w1/eth1").carrier()
        cluster.wait_healthy("w1/eth1", False)
        (blocked,) = [each for each in cluster.status("w1")["interfaces"] if each["name"] == "eth1"]
        assert blocked["reason"] == "PathSilent"
        port.unblock()
        cluster.wait_serves("w1/eth1")
        cluster.wait_answered(session)
        result = session.stop()
        assert (result.connects, result.resets) == (1, 0), "a session survives moves within the node"


def test_a_node_with_no_path_left_hands_the_address_to_the_other(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        ports = [cluster.nic(endpoint).port for endpoint in ("w1/eth1", "w1/eth2")]
        for port in ports:
            port.block()
        cluster.wait_serves("w2/eth1")
        assert cluster.bound_on("w1") == [], "an isolated node lets go of the address"
        for port in ports:
            port.unblock()
        cluster.wait_serves("w1/eth1")


def test_an_adapter_that_cannot_send_is_left(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        port = cluster.nic("w1/eth1").port
        port.cut("from_nic")
        cluster.wait_serves("w1/eth2")
        port.heal()
        cluster.wait_serves("w1/eth1")
        port.cut("to_nic")
        cluster.wait_serves("w1/eth2")
        port.heal()
        cluster.wait_serves("w1/eth1")


def test_a_card_is_replaced_by_one_with_another_mac(lab: Lab) -> None:
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


def test_the_only_adapter_of_the_holder_is_replaced(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start("w2")
        cluster.wait_serves("w2/eth1")
        card = cluster.nic("w2/eth1")
        card.delete()
        cluster.wait(lambda: cluster.holders() == [], "nobody holds")
        card.recreate("02:76:69:70:aa:02")
        cluster.wait_serves("w2/eth1")
