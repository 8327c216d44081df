"""Other programs change our nftables tables: it is noticed, put back, and what was elected stays so while it may."""

import re

import pytest

from vipa_agent.kernel.nftwatch import EVERYTHING, NftWatch
from vipa_lab.gate_rig import Rig, wait_past
from vipa_lab.kernel_rig import BOTH, LONG_S, OWN, VIP

ARP, NETDEV, INET, IP6 = "table arp vipa", "table netdev vipa", "table inet vipa", "table ip6 vipa"
MEDDLING = {
    'delete element arp vipa elected { 10.1.1.7 . "eth1" }': {ARP},
    'delete element netdev vipa elected { 10.1.1.7 . "eth1" }': {NETDEV},
    'add element arp vipa elected { 10.1.1.7 . "eth2" }': {ARP},
    "flush set arp vipa guarded": {ARP},
    "flush set arp vipa own": {ARP},
    "flush set netdev vipa vips": {NETDEV},
    "flush set arp vipa alive": {ARP},
    "flush chain arp vipa in": {ARP},
    "flush chain netdev vipa fence": {NETDEV},
    "flush chain inet vipa out": {INET},
    "flush map inet vipa out4": {INET},
    "add rule arp vipa in drop": {ARP},
    "delete table netdev vipa": {NETDEV},
    "delete table arp vipa": {ARP},
    "delete table inet vipa": {INET},
    # what Debian's /etc/nftables.conf begins with
    "delete table ip6 vipa": {IP6},
    "flush ruleset; add table inet filter; add chain inet filter input": EVERYTHING,
}


def tables(rig: Rig) -> list[str]:
    """All of ours in nftables, without the order of things and the passing of time."""
    listed = rig.node.run(["nft", "-s", "list", "ruleset"])
    ours = [part for part in re.split(r"^(?=table )", listed, flags=re.MULTILINE) if " vipa " in part.partition("{")[0]]
    return sorted(re.sub(r"counter packets \d+ bytes \d+", "counter", line) for part in ours for line in tidy(part))


def tidy(part: str) -> list[str]:
    """Lines of one table; the elements of a set sorted."""
    timeless = re.sub(r" (timeout|expires) \w+", "", part)
    joined = re.sub(r",\s+", ", ", timeless)
    elements = re.compile(r"elements = \{ (.*) \}")
    return [elements.sub(lambda m: str(sorted(m[1].split(", "))), line).strip() for line in joined.splitlines()]


@pytest.fixture
def serving(rig: Rig) -> Rig:
    rig.serve()
    rig.claim("eth1")
    rig.call(lambda: rig.kernel.renew({"eth1": LONG_S}))
    assert rig.ask() == {"eth1"}
    return rig


def test_whatever_is_changed_is_told_put_back_and_stays_elected(serving: Rig) -> None:
    rig = serving
    watch = rig.call(NftWatch)
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    assert watch.drain() == frozenset(), "what we do ourselves is no news"
    before = tables(rig)
    for meddling, told in MEDDLING.items():
        rig.node.run(["nft", *meddling.split(" ")] if ";" not in meddling else ["nft", meddling])
        assert watch.drain() == told, meddling
        assert tables(rig) != before, meddling
        rig.call(rig.kernel.mend)
        assert watch.drain() == frozenset(), meddling
        assert tables(rig) == before, meddling
        assert rig.ask(wait_s=0.05) == {"eth1"}, meddling
    assert rig.lapsed == []
    assert "table inet filter" in rig.node.run(["nft", "list", "ruleset"]), "not ours"
    watch.close()


def test_a_set_that_became_something_else_costs_the_tables_but_no_election(serving: Rig) -> None:
    rig = serving
    before = tables(rig)
    for change in (
        "flush chain arp vipa out",
        "delete set arp vipa vips",
        "add set arp vipa vips { type ether_addr; }",
    ):
        rig.node.run(["nft", *change.split(" ")])
    rig.call(rig.kernel.mend)
    assert tables(rig) == before
    assert rig.ask() == {"eth1"}


def test_a_lapsed_permit_is_not_brought_back(rig: Rig) -> None:
    rig.serve()
    until = rig.claim("eth1", 0.3)
    rig.call(lambda: rig.kernel.renew({"eth1": 0.3}))  # and not a tick more: the agent stands still
    wait_past(until)
    rig.node.run(["nft", "delete", "table", "arp", "vipa"])
    rig.call(rig.kernel.mend)
    assert rig.ask() == set()
    assert rig.lapsed == ["eth1"]


def test_an_untimed_election_comes_back(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1", None)
    rig.node.run(["nft", "flush", "ruleset"])
    rig.call(rig.kernel.mend)
    assert rig.ask() == {"eth1"}


def test_while_the_gate_stays_broken_nothing_is_bound(serving: Rig) -> None:
    rig = serving
    rig.node.run(["nft", "flush", "ruleset"])
    rig.call(rig.kernel.open_fence)
    assert rig.ask() == set()
    rig.call(lambda: rig.kernel.bind((VIP,), BOTH))
    assert not rig.kernel.begin_claim((VIP,), 1.0)
    rig.kernel.revoke((VIP,), "eth1")
    rig.call(lambda: rig.kernel.renew({}))
    assert rig.node.run(["ip", "-o", "addr", "show", "to", f"{VIP}/32"]) == ""
    rig.call(rig.kernel.mend)
    rig.call(lambda: rig.kernel.bind((VIP,), BOTH))
    assert rig.ask() == set(), "gated"
    rig.claim("eth1")
    assert rig.ask() == {"eth1"}


def test_lost_notifications_count_as_a_change_of_everything(serving: Rig) -> None:
    rig = serving
    watch = rig.call(lambda: NftWatch(receive_bytes=4096))
    lines = ["add table ip theirs", *(f"add chain ip theirs c{n}" for n in range(500))]
    (rig.node.run_dir / "theirs").write_text("\n".join(lines))
    rig.node.run(["nft", "-f", str(rig.node.run_dir / "theirs")])
    assert watch.drain() == EVERYTHING
    rig.node.run(["nft", "delete", "table", "ip", "theirs"])
    watch.drain()
    rig.node.run(["nft", "delete", "table", "arp", "vipa"])
    assert watch.drain() == {ARP}
    watch.close()
