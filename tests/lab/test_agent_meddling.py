"""Somebody else on the machine removes what the agent made: it is put back."""

import pytest

from vipa_lab.cluster import WAIT_S, Cluster
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


@pytest.mark.parametrize(
    "removal",
    [
        "ip rule del pref 7118",
        "ip route flush table 7118",
        "nft delete table inet vipa",
        "ip rule flush; ip rule add pref 32766 lookup main; nft delete table inet vipa",
    ],
)
def test_reply_routes_that_are_removed_come_back_and_nobody_notices(lab: Lab, removal: str) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        term, before = cluster.erp("w1")["term"], steering(cluster)
        assert all(before), "eth1 and eth2 share a LAN"
        cluster.node("w1").run(["sh", "-c", removal])
        cluster.agents["w1"].wait_output("put back", WAIT_S)
        cluster.wait(lambda: steering(cluster) == before, "rules, routes and marks are back")
        cluster.wait_serves("w1/eth1")
        assert cluster.erp("w1")["term"] == term, "nothing moved"
        assert cluster.agents["w1"].output().count("put back") <= 2, "not again and again"


def steering(cluster: Cluster) -> list[list[str]]:
    """Our rules, the routes of our tables, and the names of our nft tables on w1."""
    node = cluster.node("w1")
    rules = sorted(line for line in node.run(["ip", "rule"]).splitlines() if line.startswith("71"))
    routes = [node.run(["sh", "-c", f"ip route show table {7117 + slot} 2>/dev/null || true"]) for slot in range(4)]
    tables = node.run(["nft", "list", "tables"]).splitlines()
    return [rules, sorted(line.strip() for text in routes for line in text.splitlines()), sorted(tables)]


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
