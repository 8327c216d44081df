"""Reconciliation: what nodes are told, what the status says, and what is refused."""

from unit.fakes.apiserver import LIST, FakeCluster
from vipa_operator.reconcile import Key, Kind


def test_a_node_gets_its_object() -> None:
    cluster = FakeCluster()
    cluster.node("w1")
    cluster.sync()
    assert (cluster.told("w1"), cluster.epoch("w1")) == ({}, 0)


def test_status_says_who_serves_and_why_not_the_others(three: FakeCluster) -> None:
    status = three.status("erp")
    assert status["holder"]["endpoint"] == "w1/eth1"
    assert status["holder"]["address"] == "10.1.1.4"
    assert [(c["node"], c["healthy"], c["reason"]) for c in status["succession"]] == [
        ("w1", True, "TopOfList"),
        ("w2", True, "LowerInList"),
        ("w3", True, "LowerInList"),
    ]
    assert status["spares"] == 2
    assert list(status["nextHops"]) == ["10.1.1.4"]
    assert three.condition("erp", "Ready") == ("True", "TopOfList")
    assert three.condition("erp", "Redundant") == ("True", "Healthy")
    assert three.condition("erp", "Conflict") == ("False", "NoConflict")


def test_each_node_of_the_succession_is_told_and_nothing_is_written_twice(three: FakeCluster) -> None:
    assert three.told("w1") == three.told("w2") == three.told("w3") == {"erp": ["w1", "w2", "w3"]}
    written = len([w for w in three.written if w])
    three.store.touch_all()
    three.sync()
    assert len([w for w in three.written if w]) == written


def test_a_failover_is_a_transition_and_an_event(three: FakeCluster) -> None:
    three.agent("w1", {"eth1": "10.1.1.4/24"})
    three.holds("w2", "erp", "eth1", 2, "HolderSilent")
    three.sync()
    newest = three.status("erp")["lastTransitions"][0]
    assert (newest["from"], newest["to"], newest["reason"]) == ("w1/eth1", "w2/eth1", "HolderSilent")
    assert newest["gapEstimate"].endswith("ms")
    assert [e.reason for e in three.events][-1] == "HolderSilent"


def test_a_dead_nodes_last_word_does_not_outlive_a_higher_term(three: FakeCluster) -> None:
    three.holds("w2", "erp", "eth1", 2, "HolderSilent")  # w1's report still says Holder, term 1
    three.sync()
    assert three.status("erp")["holder"]["node"] == "w2"


def test_an_address_that_nobody_serves_yet_is_not_ready(three: FakeCluster) -> None:
    three.put(Kind.VIP, "erp", spec={"addresses": ["10.1.1.9"], "preferredInterfaceList": "office"})
    three.sync()  # w1 still reports that it serves 10.1.1.7
    assert three.condition("erp", "Ready") == ("False", "Listening")
    assert "holder" not in three.status("erp")
    three.holds("w1", "erp", "eth1", 2)
    three.sync()
    assert three.condition("erp", "Ready") == ("True", "TopOfList")


def test_at_most_ten_transitions_newest_first(three: FakeCluster) -> None:
    for term in range(2, 20):
        three.holds(f"w{1 + term % 2}", "erp", "eth1", term)
        three.sync()
    moves = three.status("erp")["lastTransitions"]
    assert len(moves) == 10
    assert [m["time"] for m in moves] == sorted((m["time"] for m in moves), reverse=True)


def test_a_reordered_list_reorders_and_the_policy_decides_when(three: FakeCluster) -> None:
    three.put(Kind.LIST, "office", spec={**LIST, "interfaces": LIST["interfaces"][::-1]})
    three.sync()
    assert three.told("w1") == {"erp": ["w2", "w1", "w3"]}
    assert [c["reason"] for c in three.status("erp")["succession"]] == ["FailbackWaiting", "TopOfList", "LowerInList"]


def test_a_list_that_drops_the_holder_lets_it_hand_over(three: FakeCluster) -> None:
    three.put(Kind.LIST, "office", spec={"interfaces": [{"address": "10.1.1.5"}], "fallback": "None"})
    three.sync()
    assert three.told("w1") == {"erp": ["w2", "w1"]}


def test_a_lost_list_leaves_what_is_served(three: FakeCluster) -> None:
    three.delete(Kind.LIST, "office")
    three.sync()
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}
    assert three.condition("erp", "Accepted") == ("False", "ListNotFound")
    assert three.condition("erp", "Ready") == ("True", "TopOfList")
    assert [e.reason for e in three.events if e.severity == "Warning"] == ["ListNotFound"]


def test_a_holder_drained_while_the_list_is_lost_hands_over(three: FakeCluster) -> None:
    three.delete(Kind.LIST, "office")
    three.sync()
    three.drain("w1")
    three.sync()
    assert three.told("w1") == three.told("w2") == {"erp": ["w2", "w3", "w1"]}
    assert three.failback("w1") == "Immediate"
    three.hands_over("w1", "w2")
    three.sync()
    assert three.told("w1") == {}
    assert three.told("w2") == {"erp": ["w2", "w3"]}
    # What is kept is kept as it was: that it once had to leave at once is no policy of the virtual IP.
    assert three.failback("w2") == ""


def test_the_older_keeps_the_address_and_the_newer_says_why_not(three: FakeCluster) -> None:
    three.put(Kind.VIP, "newer", spec={"addresses": ["10.1.1.7"]}, meta={"creationTimestamp": "2027-01-01T00:00:00Z"})
    three.sync()
    assert three.condition("newer", "Accepted") == ("False", "AddressInUse")
    assert three.condition("newer", "Conflict") == ("True", "AddressInUse")
    assert three.condition("erp", "Accepted") == ("True", "Accepted")
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}
    assert len([e for e in three.events if e.name == "newer"]) == 1
    three.delete(Kind.VIP, "erp")
    three.sync()
    assert three.condition("newer", "Accepted") == ("True", "Accepted")
    assert "erp" not in three.told("w1")


def test_a_nodes_own_address_is_refused_but_what_was_served_stays(three: FakeCluster) -> None:
    three.put(Kind.VIP, "bad", spec={"addresses": ["10.1.1.5"]})
    three.agent("w3", {"eth1": "10.1.1.6/24", "eth2": "10.1.1.7/24"})
    three.sync()
    assert three.condition("bad", "Accepted") == ("False", "NodeAddress")
    assert three.condition("erp", "Accepted") == ("False", "NodeAddress")
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}


def test_what_is_not_supported_yet_is_refused_and_what_was_served_stays(three: FakeCluster) -> None:
    spec = {"addresses": ["10.1.1.7"], "preferredInterfaceList": "office", "partition": "Single"}
    three.put(Kind.VIP, "erp", spec=spec)
    three.sync()
    assert three.condition("erp", "Accepted") == ("False", "NotSupportedYet")
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}
    three.put(Kind.VIP, "other", spec={"addresses": ["10.1.1.7"]})
    three.sync()
    assert three.told("w1")["other"]
    assert "erp" not in three.told("w1")


def test_foreign_owner_is_a_conflict(three: FakeCluster) -> None:
    three.holds("w2", "erp", "eth1", 0, "Conflict", role="Spare")
    three.sync()
    assert three.condition("erp", "Conflict") == ("True", "Conflict")
    assert three.events[-1].reason == "Conflict"


def test_a_holder_that_sees_a_foreign_owner_is_a_conflict_too(three: FakeCluster) -> None:
    three.holds("w2", "erp", "eth1", 0, conflict="aa:bb:cc:dd:ee:ff")
    three.sync()
    assert three.condition("erp", "Conflict") == ("True", "Conflict")


def test_unhealthy_candidates_say_why(three: FakeCluster) -> None:
    down = {"name": "eth1", "addresses": ["10.1.1.5/24"], "healthy": False, "reason": "LinkDown"}
    three.agent("w2", {}, interfaces=[down])
    three.hears("w1", "w3", "Down")
    three.sync()
    reasons = {c["node"]: (c["healthy"], c["reason"]) for c in three.status("erp")["succession"]}
    assert reasons == {"w1": (True, "TopOfList"), "w2": (False, "LinkDown"), "w3": (False, "NotHeard")}
    assert three.condition("erp", "Redundant") == ("False", "NoHealthyEndpoint")


def test_a_holder_nobody_hears_and_whose_kubelet_is_silent_serves_no_more(three: FakeCluster) -> None:
    three.hears("w2", "w1", "Down")
    three.sync()
    assert three.status("erp")["holder"]["node"] == "w1"  # its kubelet reports: the LAN may be split
    three.node("w1", status={"conditions": [{"type": "Ready", "status": "Unknown"}]})
    three.sync()
    assert "holder" not in three.status("erp")
    assert three.told("w1") == {"erp": ["w1", "w2", "w3"]}


def test_epochs_only_rise_also_over_a_restart(three: FakeCluster) -> None:
    before = max(three.epoch(n) for n in ("w1", "w2", "w3"))
    three.restart()
    first = len(three.written)
    three.sync()
    assert three.written[first].specs == []
    three.put(Kind.VIP, "new", spec={"addresses": ["10.1.1.8"]})
    three.sync()
    assert {three.epoch(n) for n in ("w1", "w2", "w3")} == {before + 1}


def test_a_deleted_vip_is_taken_back_also_when_the_operator_was_away(three: FakeCluster) -> None:
    del three.objects[Key(Kind.VIP, "erp")]
    three.restart()
    three.sync()
    assert three.told("w1") == {}


def test_an_unread_list_and_a_pool_say_so_by_event() -> None:
    cluster = FakeCluster()
    cluster.put(Kind.LIST, "bad", spec={"interfaces": [{"address": "nonsense"}]})
    cluster.put(Kind.POOL, "later", spec={"ranges": ["10.1.1.200-10.1.1.250"]})
    cluster.sync()
    assert [(e.kind, e.reason) for e in cluster.events] == [
        ("PreferredInterfaceList", "Invalid"),
        ("VirtualIPPool", "NotSupportedYet"),
    ]


def test_a_node_that_falls_silent_shows_wherever_it_is_a_candidate(three: FakeCluster) -> None:
    three.hears("w2", "w3", "Down")
    three.sync()
    assert [c["reason"] for c in three.status("erp")["succession"]] == ["TopOfList", "LowerInList", "NotHeard"]
    three.node("w2", status={"conditions": [{"type": "Ready", "status": "Unknown"}]})  # its word no longer counts
    three.sync()
    assert [c["reason"] for c in three.status("erp")["succession"]] == ["TopOfList", "LowerInList", "LowerInList"]
