"""A virtual IP of both families through the operator: what nodes are told, and where routers send it."""

from unit.fakes.apiserver import FakeCluster
from vipa_operator.reconcile import Key, Kind


def test_both_families_are_assigned_and_have_next_hops() -> None:
    cluster = FakeCluster()
    own = {"w1": ("10.1.1.4/24", "fd00:1::4/64"), "w2": ("10.1.1.5/24", "fd00:9::5/64"), "w3": ("10.1.1.6/24",)}
    for name, addresses in own.items():
        cluster.node(name)
        cluster.agent(name, {"eth1": addresses[0]})
        raw = cluster.objects[Key(Kind.AGENT, name)]["status"]
        raw["interfaces"][0]["addresses"] = list(addresses)
        cluster.put(Kind.AGENT, name, status=raw)
    cluster.put(Kind.VIP, "shop", spec={"addresses": ["fd00:1::7", "10.1.1.7"]})
    cluster.sync()
    assert cluster.told("w1") == {"shop": ["w1"]}, "w2's IPv6 is on another LAN, w3 has none"
    cluster.holds("w1", "shop", "eth1", 1)
    cluster.sync()
    status = cluster.status("shop")
    assert list(status["addresses"]) == ["10.1.1.7", "fd00:1::7"]
    assert list(status["nextHops"]) == ["10.1.1.4", "fd00:1::4"]
    assert status["holder"]["address"] == "10.1.1.4"
