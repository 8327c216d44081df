"""Somebody else on the machine removes what the agent made: it is put back."""

from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab


def test_an_address_that_is_removed_comes_back(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        term = cluster.erp("w1")["term"]
        for interface in ("eth1", "eth2"):
            cluster.node("w1").run(["ip", "addr", "del", f"{cluster.vip}/32", "dev", interface])
        cluster.wait(lambda: cluster.bound_on("w1") == ["eth1", "eth2"], "the address is bound again")
        cluster.wait_serves("w1/eth1")
        assert cluster.erp("w1")["term"] == term, "nothing moved"


def test_rules_that_are_flushed_come_back(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        before = cluster.leftovers("w1")
        # Without the gate every adapter of w1 answers until the agent sees it: what is judged here is how it ends.
        cluster.foreign.update(nic.mac for nic in cluster.node("w1").nics.values())
        cluster.node("w1").run(["nft", "flush", "ruleset"])
        cluster.wait(lambda: sorted(cluster.leftovers("w1")) == sorted(before), "tables, rules and addresses are back")
        cluster.wait_serves("w1/eth1")
        cluster.nic("w1/eth1").port.down()
        cluster.wait_serves("w1/eth2")
        cluster.power_off("w1")
        cluster.wait_serves("w2/eth1")
