"""For any world: two planners agree whatever the order of their input, list order holds, no endpoint appears twice."""

from ipaddress import ip_address, ip_interface

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.fakes.objects import lists, nodes, vips
from vipa.planner import NodeView, World, groups, plan
from vipa.reasons import Reason
from vipa.resources import (
    Fallback,
    ListEntry,
    ObjectMeta,
    PreferredInterfaceList,
    PreferredInterfaceListSpec,
    VirtualIP,
    VirtualIPSpec,
)

# No deadlines: how long an example takes says nothing on a busy machine.
thorough = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

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
