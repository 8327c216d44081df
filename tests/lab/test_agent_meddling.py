"""Other programs on the machine remove or change what the agent made: it is put back, said, and nobody notices."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.lab import Lab
from vipa_lab.until import until

BACK_S = 1.0
# What a busy machine adds; what is promised is looked at where the machine lets us.
SLACK_S = 5.0

# One thing each: "ip route flush" goes on until nothing is left, so it may meet what has just been put back.
REMOVALS = {
    "address 10.1.1.7 on eth1": "ip addr del 10.1.1.7/32 dev eth1",
    "address 10.1.1.7 on eth2": "ip addr del 10.1.1.7/32 dev eth2",
    "rule 7118": "ip rule del pref 7118",
    "route of eth1": "ip route del $(ip route show table 7118 | head -n 1) table 7118",
    "table inet vipa": "nft delete table inet vipa",
    "src_valid_mark of eth1": "echo 0 > /proc/sys/net/ipv4/conf/eth1/src_valid_mark",
    "table netdev vipa": "nft delete table netdev vipa",
    "table arp vipa": "nft flush set arp vipa guarded",
}
# As Debian's: everybody's rules go, and one's own filter comes.
NFTABLES_CONF = """
flush ruleset
table inet filter {
    chain input { type filter hook input priority filter; }
}
"""


def made(cluster: Cluster) -> list[str]:
    """What of ours is in w1's kernel, without what passes by itself."""
    node = cluster.node("w1")
    rules = sorted(line for line in node.run(["ip", "rule"]).splitlines() if line.startswith("71"))
    routes = [node.run(["sh", "-c", f"ip route show table {7117 + slot} 2>/dev/null || true"]) for slot in range(4)]
    listed = node.run(["nft", "-s", "list", "ruleset"])
    ours = [part for part in re.split(r"^(?=table )", listed, flags=re.MULTILINE) if " vipa {" in part]
    settings = node.run(["sh", "-c", "cat /proc/sys/net/ipv4/conf/eth*/src_valid_mark"])
    passing = re.compile(r"counter packets \d+ bytes \d+|(timeout|expires) \w+")
    # The order within a set is its hash's.
    tables = [sorted(re.findall(r"[\w./@]+", passing.sub("", part))) for part in ours]
    return [str(each) for each in (rules, sorted("".join(routes).split("\n")), sorted(tables), settings)] + sorted(
        cluster.bound_on("w1")
    )


def repairs(cluster: Cluster) -> dict[str, str]:
    return {each["what"]: each["reason"] for each in cluster.status("w1")["repairs"]}


def test_what_is_removed_comes_back_within_a_second_and_nobody_notices(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        term, before, took_s = cluster.erp("w1")["term"], made(cluster), {}
        for what, removal in REMOVALS.items():
            removed_s = time.monotonic()
            cluster.node("w1").run(["sh", "-c", removal])
            until(lambda: made(cluster) == before, f"{what} is back", BACK_S + SLACK_S, 0.02)
            took_s[what] = time.monotonic() - removed_s
            until(lambda what=what: what in repairs(cluster), f"{what} is told")  # type: ignore[misc]
        print({what: f"{took:.2f} s" for what, took in took_s.items()})
        assert set(repairs(cluster)) == set(REMOVALS)
        assert set(repairs(cluster).values()) == {"PutBack"}
        assert cluster.agents["w1"].output().count("put back") == len(REMOVALS), "not again and again"
        cluster.wait_serves("w1/eth1")
        cluster.check_lossless(probe.stop())
        assert (cluster.erp("w1")["term"], cluster.moves("w2")) == (term, []), "nothing moved"

        # Without the gate every adapter of w1 answers until the agent sees it: what is judged is how it ends.
        cluster.foreign.update(nic.mac for nic in cluster.node("w1").nics.values())
        conf = cluster.node("w1").run_dir / "nftables.conf"
        conf.write_text(NFTABLES_CONF)
        cluster.node("w1").run(["nft", "-f", str(conf)])
        cluster.wait(lambda: made(cluster) == before, "all is back after a reload of nftables")
        assert "table inet filter" in cluster.node("w1").run(["nft", "list", "tables"])
        cluster.wait_serves("w1/eth1")
        cluster.nic("w1/eth1").port.down()
        cluster.wait_serves("w1/eth2")


@contextmanager
def again_and_again(cluster: Cluster, removal: str) -> Iterator[None]:
    """Somebody on w1 who removes it twenty times a second."""
    loop = cluster.node("w1").start(["sh", "-c", f"while true; do {removal} 2>/dev/null; sleep 0.05; done"], "loop")
    try:
        yield
    finally:
        loop.kill()


def test_what_is_removed_again_and_again_is_left_to_a_node_where_nobody_meddles(lab: Lab) -> None:
    addresses = "ip addr del 10.1.1.7/32 dev eth1; ip addr del 10.1.1.7/32 dev eth2"
    with Cluster(lab) as cluster:
        cluster.start_both()
        for removal in (addresses, "nft delete table arp vipa"):
            with again_and_again(cluster, removal):
                cluster.wait(lambda: spoiled(cluster), "w1 is no candidate")
                cluster.wait_serves("w2/eth1")
                assert "RemovedAgain" in repairs(cluster).values()
            cluster.wait_serves("w1/eth1")
        assert cluster.agents["w1"].output().count("put back") < 40, "less and less often"


def spoiled(cluster: Cluster) -> bool:
    reasons = {each["reason"] for each in cluster.status("w1")["interfaces"]}
    return reasons == {"RemovedAgain"} and cluster.bound_on("w1") == []


def test_an_adapter_is_taken_down_and_renamed(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        card = cluster.nic("w1/eth1")
        card.set_admin(up=False)
        cluster.wait_serves("w1/eth2")
        cluster.node("w1").run(["ip", "link", "set", "eth1", "name", "lan0"])
        card.name = "lan0"
        card.set_admin(up=True)
        cluster.wait_serves("w1/lan0")
        assert cluster.bound_on("w1") == ["lan0", "eth2"]
        probe = cluster.datagrams()
        cluster.wait_answered(probe, 100)
        cluster.check_lossless(probe.stop())
        assert cluster.agents["w1"].terminate(WAIT_S) == 0
        cluster.wait_serves("w2/eth1")
        assert cluster.leftovers("w1") == []
