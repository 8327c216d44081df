"""Manifests that are bad, turn bad, go, come back, or change their mind while the agents run."""

from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip

BAD = virtual_ip("crm", "10.1.1.999")


def refused(cluster: Cluster, node: str, name: str) -> bool:
    return any(each["name"] == name for each in cluster.status(node)["refusals"])


def test_bad_manifests_disturb_nobody_and_one_that_turns_bad_keeps_its_last_good_version(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.write("before.yaml", BAD)
        cluster.start_both()
        assert refused(cluster, "w1", "crm")
        term = cluster.erp("w1")["term"]
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        cluster.write("beside.yaml", virtual_ip("pos", "10.1.1.8", timing="Soon"))
        cluster.write("broken.yaml", "kind: [VirtualIP\n")
        for node in ("w1", "w2"):
            cluster.wait(lambda node=node: refused(cluster, node, "pos"), f"{node} refuses pos")  # type: ignore[misc]
            cluster.agents[node].wait_output("broken.yaml", 20)
        (said,) = [each for each in cluster.status("w1")["refusals"] if each["name"] == "pos"]
        assert said["reason"] == "Invalid"
        assert "Soon" in said["message"]

        for text, words in ((virtual_ip(timing="Soon"), "Soon"), ("kind: [VirtualIP\n", "erp.yaml:")):
            cluster.write("erp.yaml", text)
            for agent in cluster.agents.values():
                agent.wait_output(words, 20)
        cluster.hold("w1/eth1", 1.0)
        cluster.check_lossless(probe.stop())
        assert cluster.erp("w1")["term"] == term
        cluster.nic("w1/eth1").port.down()  # and it still fails over
        cluster.wait_serves("w1/eth2")
        cluster.write("erp.yaml", virtual_ip(failback="{policy: Never}"))
        cluster.nic("w1/eth1").port.up()
        cluster.wait_healthy("w1/eth1")
        cluster.wait(lambda: not refused(cluster, "w1", "erp"), "the mended manifest is taken")


def test_two_virtual_ips_are_served_by_two_machines_and_a_removed_one_by_none(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.write("pos.yaml", virtual_ip("pos", "10.1.1.8", preferred="other"))
        cluster.write("other.yaml", preferred_list("10.1.1.6", "10.1.1.5", name="other"))
        cluster.start_both()
        probe = cluster.datagrams("10.1.1.8")
        cluster.wait_client(probe, "w2")
        (cluster.manifests / "erp.yaml").unlink()
        for node in ("w1", "w2"):
            cluster.wait(lambda node=node: not cluster.erp(node), f"{node} knows it no more")  # type: ignore[misc]
            cluster.wait(lambda node=node: cluster.bound_on(node) == [], f"{node} let go")  # type: ignore[misc]
            ruleset = cluster.node(node).run(["nft", "list", "ruleset"])
            assert cluster.vip not in ruleset
            assert "10.1.1.8" in ruleset
        cluster.wait(lambda: not cluster.answerer(), "nobody answers")
        cluster.write("erp.yaml", virtual_ip())
        cluster.wait_serves("w1/eth1")
        cluster.wait_answered(probe)
        cluster.check_lossless(probe.stop())

        probe = cluster.datagrams("10.1.1.8")
        cluster.wait_client(probe, "w2")
        cluster.power_off("w2")
        cluster.wait_client(probe, "w1")
        cluster.hold("w1/eth1", 1.0)
        probe.stop()
        assert cluster.observer.two_answerers("10.1.1.8") == []


def test_a_reordered_list_is_followed_by_planned_moves_once_every_node_has_read_it(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.own_folder("w2")
        cluster.start_both()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        turned = preferred_list("10.1.1.6", "10.1.1.4", "10.1.1.5")
        cluster.write("list.yaml", turned)
        cluster.wait(lambda: cluster.erp("w2")["planMismatch"] == ["w1"], "w2 says that w1 has another plan")
        cluster.hold("w1/eth1", 2.0)  # no planned move between nodes that do not agree (rule 13)
        cluster.write("list.yaml", turned, cluster.folder("w2"))
        cluster.wait_serves("w2/eth1")
        for order, endpoint in (
            (("10.1.1.5", "10.1.1.4", "10.1.1.6"), "w1/eth2"),
            (("10.1.1.4", "10.1.1.6"), "w1/eth1"),
        ):
            for folder in (cluster.folder("w2"), cluster.manifests):
                cluster.write("list.yaml", preferred_list(*order), folder)
            cluster.wait_serves(endpoint)
        cluster.wait_answered(probe)
        result = probe.stop()
        cluster.check_lossless(result)
        assert cluster.bound_on("w1") == ["eth1"], "an adapter that left the list keeps nothing"
        assert cluster.served() == ["w1/eth1", "w2/eth1", "w1/eth2", "w1/eth1"]


def test_a_paused_virtual_ip_stays_with_its_holder_over_lists_and_restarts(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        running = virtual_ip()
        cluster.write("erp.yaml", running.replace("  timing:", "  paused: true\n  timing:"))
        cluster.write("list.yaml", preferred_list("10.1.1.6", "10.1.1.5", "10.1.1.4"))
        for node in ("w1", "w2"):
            cluster.wait(lambda node=node: first(cluster, node) == "10.1.1.6", f"{node} has the new list")  # type: ignore[misc]
        cluster.hold("w1/eth1", 2.0)
        state = cluster.node("w1").state_dir / "state.json"
        cluster.wait(lambda: " held" in state.read_text(), "w1 remembers that it held it last")
        assert cluster.agents["w1"].terminate(30) == 0
        cluster.wait(lambda: not cluster.answerer(), "it is stopped and nobody takes over")
        assert cluster.erp("w2")["role"] == "Spare"
        cluster.start("w1")
        cluster.wait(lambda: cluster.holders() == ["w1/eth2"], "who held it last takes it again")
        cluster.wait(lambda: cluster.answerer() == "w1/eth2", "and answers")
        cluster.write("erp.yaml", running)
        cluster.wait_serves("w2/eth1")


def first(cluster: Cluster, node: str) -> str:
    """The best endpoint of the virtual IP, as this agent has it."""
    return next((str(each["address"]) for each in cluster.erp(node).get("succession", ())), "")
