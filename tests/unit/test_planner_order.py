"""Rule 1: list order, then the rest; without a list nodes with more interfaces first; filters; one endpoint once."""

from collections import Counter

from vipa.plan import Endpoint, Plan
from vipa.planner import InterfaceView, NodeView, World, plan
from vipa.planner.rank import Ranking, hash32
from vipa.resources import (
    Fallback,
    LabelSelector,
    ListEntry,
    ObjectMeta,
    PreferredInterfaceList,
    PreferredInterfaceListSpec,
    VirtualIP,
    VirtualIPSpec,
)

W1 = NodeView(
    "w1",
    {"rack": "a"},
    (InterfaceView("eth1", ("10.1.1.4/24",)), InterfaceView("eth2", ("10.1.1.5/24", "192.168.1.5/24"))),
)
W2 = NodeView("w2", {"rack": "b"}, (InterfaceView("eth1", ("10.1.1.6/24",)), InterfaceView("ens9", ("172.16.0.6/16",))))
W3 = NodeView("w3", {"rack": "b"}, (InterfaceView("ens3", ("10.1.1.8/24",)),))
NODES = (W1, W2, W3)


def vip(name: str = "erp", address: str = "10.1.1.7", **spec: object) -> VirtualIP:
    return VirtualIP(metadata=ObjectMeta(name=name), spec=VirtualIPSpec((address,), **spec))  # type: ignore[arg-type]


def pil(*entries: ListEntry, fallback: Fallback = Fallback.NONE, name: str = "ibm-i") -> PreferredInterfaceList:
    return PreferredInterfaceList(
        metadata=ObjectMeta(name=name), spec=PreferredInterfaceListSpec(tuple(entries), fallback)
    )


def addresses(planned: Plan) -> list[str]:
    assert planned.refusals == ()
    return [e.address for e in planned.vips[0].succession]


def by_list(*entries: ListEntry, nodes: tuple[NodeView, ...] = NODES, **spec: object) -> list[str]:
    user = vip(preferred_interface_list="ibm-i", **spec)  # type: ignore[arg-type]
    world = World((user,), (pil(*entries),), nodes)
    return addresses(plan(world))


def test_a_list_by_address_needs_no_nodes() -> None:
    entries = [ListEntry(address=f"10.1.1.{i}") for i in (4, 5, 6)]
    planned = plan(World((vip(preferred_interface_list="ibm-i"),), (pil(*entries),)))
    assert planned.vips[0].succession == (Endpoint("10.1.1.4"), Endpoint("10.1.1.5"), Endpoint("10.1.1.6"))
    assert planned.epoch == 0


def test_a_known_address_gets_its_node_and_interface() -> None:
    world = World((vip(preferred_interface_list="ibm-i"),), (pil(ListEntry(address="10.1.1.5")),), NODES)
    assert plan(world).vips[0].succession == (Endpoint("10.1.1.5", "w1", "eth2"),)


def test_list_order_beats_everything() -> None:
    assert by_list(ListEntry(address="10.1.1.8"), ListEntry(address="10.1.1.4")) == ["10.1.1.8", "10.1.1.4"]


def test_by_node_and_interface() -> None:
    assert by_list(ListEntry(node="w2", interface="eth1"), ListEntry(node="w1", interface="eth2")) == [
        "10.1.1.6",
        "10.1.1.5",
    ]


def test_by_label_and_glob() -> None:
    rack_b = LabelSelector({"rack": "b"})
    assert by_list(ListEntry(node_selector=rack_b, interface="ens*"), ListEntry(address="10.1.1.4")) == [
        "10.1.1.8",
        "10.1.1.4",
    ]
    assert set(by_list(ListEntry(node_selector=rack_b, interface="*"))) == {"10.1.1.6", "10.1.1.8"}


def test_an_interface_on_another_lan_never_serves() -> None:
    assert by_list(ListEntry(address="172.16.0.6"), ListEntry(address="10.1.1.4")) == ["10.1.1.4"]
    assert by_list(ListEntry(node="w2", interface="ens9"), ListEntry(address="10.1.1.4")) == ["10.1.1.4"]


def test_the_first_mention_wins_whatever_the_way() -> None:
    entries = [
        ListEntry(node="w1", interface="eth2"),
        ListEntry(address="10.1.1.4"),
        ListEntry(address="10.1.1.5"),
        ListEntry(node_selector=LabelSelector(), interface="eth*"),
    ]
    assert by_list(*entries) == ["10.1.1.5", "10.1.1.4", "10.1.1.6"]


def test_an_interface_with_two_addresses_is_one_endpoint() -> None:
    twice = NodeView("w1", {}, (InterfaceView("eth1", ("10.1.1.4/24", "10.1.1.9/24")),))
    assert by_list(
        ListEntry(address="10.1.1.9"), ListEntry(node_selector=LabelSelector(), interface="*"), nodes=(twice,)
    ) == ["10.1.1.9"]


def test_an_address_declared_on_two_nodes_is_found_on_the_lan_where_it_serves() -> None:
    inner = NodeView("w0", {}, (InterfaceView("br0", ("10.1.1.4/32",)),))
    assert by_list(ListEntry(address="10.1.1.4"), ListEntry(address="10.1.1.6"), nodes=(inner, *NODES)) == [
        "10.1.1.4",
        "10.1.1.6",
    ]


def test_fallback_any_adds_the_rest_and_none_does_not() -> None:
    for fallback, count in ((Fallback.ANY, 4), (Fallback.NONE, 1)):
        lists = (pil(ListEntry(address="10.1.1.8"), fallback=fallback),)
        order = addresses(plan(World((vip(preferred_interface_list="ibm-i"),), lists, NODES)))
        assert order[0] == "10.1.1.8"
        assert len(order) == count
    assert set(order) == {"10.1.1.8"}


def test_the_rest_begins_with_the_node_of_most_interfaces() -> None:
    order = addresses(plan(World((vip(),), (), NODES)))
    assert set(order[:2]) == {"10.1.1.4", "10.1.1.5"}
    assert set(order[2:]) == {"10.1.1.6", "10.1.1.8"}


def test_filters_of_the_vip() -> None:
    world = World((vip(node_selector=LabelSelector({"rack": "b"})),), (), NODES)
    assert set(addresses(plan(world))) == {"10.1.1.6", "10.1.1.8"}
    assert set(addresses(plan(World((vip(interfaces=("ens*", "eth2")),), (), NODES)))) == {"10.1.1.8", "10.1.1.5"}
    assert by_list(ListEntry(address="10.1.1.4"), ListEntry(address="10.1.1.8"), interfaces=("ens*",)) == ["10.1.1.8"]
    # Of a node nobody declared no label is known: what asks for one is not met.
    assert by_list(
        ListEntry(address="10.1.1.99"), ListEntry(address="10.1.1.4"), node_selector=LabelSelector({"rack": "a"})
    ) == ["10.1.1.4"]


def test_an_excluded_node_is_no_candidate() -> None:
    out = NodeView("w1", W1.labels, W1.interfaces, eligible=False)
    assert set(addresses(plan(World((vip(),), (), (out, W2, W3))))) == {"10.1.1.6", "10.1.1.8"}


def test_another_vips_address_is_nobodys_endpoint() -> None:
    other = vip("web", "10.1.1.20")
    lists = (pil(ListEntry(address="10.1.1.20"), ListEntry(address="10.1.1.4")),)
    newer = PreferredInterfaceList(metadata=ObjectMeta("ibm-i", creation_timestamp="2026"), spec=lists[0].spec)
    planned = plan(World((vip(preferred_interface_list="ibm-i"), other), (newer,), NODES))
    assert addresses(planned) == ["10.1.1.4"]


def lan_of(count: int) -> tuple[NodeView, ...]:
    return tuple(
        NodeView(f"n{i}", {}, (InterfaceView("eth1", (f"10.2.{i // 200}.{i % 200 + 1}/16",)),)) for i in range(count)
    )


def firsts(nodes: tuple[NodeView, ...], vips: int = 400) -> dict[str, list[str]]:
    many = tuple(vip(f"v{i}", f"10.2.{200 + i // 200}.{i % 200 + 1}") for i in range(vips))
    return {v.name: [e.node for e in v.succession] for v in plan(World(many, (), nodes)).vips}


def test_without_a_list_vips_spread_evenly() -> None:
    load = Counter(order[0] for order in firsts(lan_of(10)).values())
    # 400 VIPs on 10 nodes: 40 each; the order is fixed by hashes, so this holds always or never.
    assert len(load) == 10
    assert 20 <= min(load.values()) <= max(load.values()) <= 60


def test_a_node_that_goes_changes_no_order_among_the_others_and_its_vips_spread() -> None:
    before, after = firsts(lan_of(10)), firsts(lan_of(9))
    assert {n: [x for x in order if x != "n9"] for n, order in before.items()} == after
    heirs = Counter(order[1] for order in before.values() if order[0] == "n9")
    assert len(heirs) >= 7


def test_a_succession_is_bounded_and_its_head_is_that_of_the_whole_order() -> None:
    large, small = firsts(lan_of(700), 40), firsts(lan_of(60), 40)
    assert {len(order) for order in large.values()} == {64}
    assert {len(set(order)) for order in large.values()} == {64}
    known = {f"n{i}" for i in range(60)}
    for name, order in large.items():
        kept = [n for n in order if n in known]
        assert kept == small[name][: len(kept)]


def test_equal_scores_are_settled_alike_by_two_planners() -> None:
    # Two addresses with the same 32-bit hash: among 200,000 some are to be expected.
    seen: dict[bytes, str] = {}
    for i in range(200_000):
        address = f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"
        twin = seen.setdefault(hash32(address.encode()), address)
        if twin != address:
            break
    assert twin != address
    others = [f"10.200.0.{i}" for i in range(1, 41)]
    endpoints = [Endpoint(a, f"n{a}", "eth1") for a in (twin, address, *others)]
    declared = {e.node: 1 for e in endpoints}
    one, other = Ranking(endpoints, declared), Ranking(endpoints[::-1], declared)
    for vip_id in range(50):
        assert one.first(vip_id, 20) == other.first(vip_id, 20)
