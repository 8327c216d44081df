"""For any world: two planners agree whatever the order of their input, list order holds, no endpoint appears twice."""

from ipaddress import ip_address, ip_interface

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vipa.planner import InterfaceView, NodeView, World, groups, plan
from vipa.reasons import Reason
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

# No deadlines: how long an example takes says nothing on a busy machine.
thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Few values, so that everything collides with everything.
hosts = st.integers(1, 30).map(lambda i: f"10.1.{i % 2}.{i}")
node_names = st.sampled_from(["w1", "w2", "w3", "w4"])
interface_names = st.sampled_from(["eth0", "eth1", "ens3"])
globs = st.sampled_from(["eth*", "ens3", "*", "x*"])
labels = st.dictionaries(st.sampled_from(["rack", "disk"]), st.sampled_from(["a", "b"]), max_size=2)
selectors = st.builds(LabelSelector, match_labels=labels)
created = st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])

entries = st.one_of(
    st.builds(ListEntry, address=hosts),
    st.builds(ListEntry, node=node_names, interface=interface_names),
    st.builds(ListEntry, node_selector=selectors, interface=globs),
    st.builds(ListEntry, address=hosts, node=node_names),  # ambiguous: a refused list
)
interfaces = st.builds(
    InterfaceView,
    name=interface_names,
    addresses=st.lists(st.builds("{}/{}".format, hosts, st.sampled_from([16, 24, 32])), max_size=3).map(tuple),
)
nodes = st.builds(
    NodeView,
    name=node_names,
    labels=labels,
    interfaces=st.lists(interfaces, max_size=3, unique_by=lambda i: i.name).map(tuple),
    eligible=st.booleans() | st.just(True),
)
lists = st.builds(
    PreferredInterfaceList,
    metadata=st.builds(ObjectMeta, name=st.sampled_from(["l", "m"]), creation_timestamp=created),
    spec=st.builds(
        PreferredInterfaceListSpec,
        interfaces=st.lists(entries, min_size=1, max_size=5).map(tuple),
        fallback=st.sampled_from(Fallback),
    ),
)
vips = st.builds(
    VirtualIP,
    metadata=st.builds(ObjectMeta, name=st.sampled_from("abcdef"), creation_timestamp=created),
    spec=st.builds(
        VirtualIPSpec,
        addresses=st.tuples(hosts | st.sampled_from(["10.1.0.255", "nonsense", "fd00::7"])),
        preferred_interface_list=st.sampled_from(["", "l", "m", "missing"]),
        node_selector=st.just(LabelSelector()) | selectors,
        interfaces=st.just(()) | st.tuples(globs),
        paused=st.booleans(),
    ),
)
worlds = st.builds(
    World,
    vips=st.lists(vips, max_size=6, unique_by=lambda v: v.metadata.name).map(tuple),
    lists=st.lists(lists, max_size=2, unique_by=lambda v: v.metadata.name).map(tuple),
    nodes=st.lists(nodes, max_size=4, unique_by=lambda n: n.name).map(tuple),
)


@thorough
@given(world=worlds, data=st.data())
def test_two_planners_agree_whatever_the_order_of_their_input(world: World, data: st.DataObject) -> None:
    shuffled_nodes = tuple(
        NodeView(n.name, n.labels, tuple(data.draw(st.permutations(n.interfaces))), n.eligible)
        for n in data.draw(st.permutations(world.nodes))
    )
    other = World(
        tuple(data.draw(st.permutations(world.vips))), tuple(data.draw(st.permutations(world.lists))), shuffled_nodes
    )
    assert plan(world) == plan(other)
    assert groups(plan(world)) == groups(plan(other))


@thorough
@given(worlds)
def test_every_vip_is_planned_or_refused_and_no_endpoint_appears_twice(world: World) -> None:
    planned = plan(world)
    accepted = [v.name for v in planned.vips]
    refused = [r.name for r in planned.refusals if r.kind == "VirtualIP"]
    assert sorted(accepted + refused) == sorted(v.metadata.name for v in world.vips)
    taken = [a for v in planned.vips for a in v.addresses]
    assert len(taken) == len(set(taken))
    for vip in planned.vips:
        assert vip.succession
        own = [e.address for e in vip.succession]
        places = [(e.node, e.interface) for e in vip.succession if e.node]
        assert len(own) == len(set(own))
        assert len(places) == len(set(places))
        assert not set(own) & set(taken)
    assert all(r.message for r in planned.refusals)


@thorough
@given(worlds)
def test_known_candidates_are_on_the_vips_lan_and_pass_its_filters(world: World) -> None:
    specs = {v.metadata.name: v.spec for v in world.vips}
    by_name = {n.name: n for n in world.nodes}
    for vip in plan(world).vips:
        for endpoint in vip.succession:
            if not endpoint.node:
                continue
            node = by_name[endpoint.node]
            subnets = [
                ip_interface(a).network
                for i in node.interfaces
                if i.name == endpoint.interface
                for a in i.addresses
                if a.split("/")[0] == endpoint.address
            ]
            assert any(ip_address(vip.addresses[0]) in s for s in subnets)
            assert node.eligible
            assert specs[vip.name].node_selector.matches(node.labels)


@thorough
@given(
    order=st.permutations([f"10.1.0.{i}" for i in range(1, 9)]),
    known=st.lists(nodes, max_size=4, unique_by=lambda n: n.name),
    fallback=st.sampled_from(Fallback),
)
def test_list_order_is_respected(order: list[str], known: list[NodeView], fallback: Fallback) -> None:
    pil = PreferredInterfaceList(
        metadata=ObjectMeta(name="l"),
        spec=PreferredInterfaceListSpec(tuple(ListEntry(address=a) for a in order), fallback),
    )
    vip = VirtualIP(metadata=ObjectMeta(name="a"), spec=VirtualIPSpec(("10.1.0.200",), preferred_interface_list="l"))
    for planned in plan(World((vip,), (pil,), tuple(known))).vips:
        got = [e.address for e in planned.succession]
        listed = [a for a in got if a in order]
        assert listed == [a for a in order if a in listed]
        assert fallback is Fallback.ANY or listed == got


@thorough
@given(worlds)
def test_a_vip_refused_for_its_address_changes_nothing_for_the_others(world: World) -> None:
    planned = plan(world)
    accepted = {v.name for v in planned.vips}
    for refusal in planned.refusals:
        if refusal.reason in (Reason.NODE_ADDRESS, Reason.ADDRESS_IN_USE):
            without = plan(
                msgspec.structs.replace(world, vips=tuple(v for v in world.vips if v.metadata.name != refusal.name))
            )
            if {v.name for v in without.vips} == accepted:  # else its going let another one in
                assert without.vips == planned.vips
