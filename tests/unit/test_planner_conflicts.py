"""What needs several objects: who keeps an address, missing lists, no candidates. Nothing of it touches another VIP."""

import pytest

from vipa.plan import Refusal
from vipa.planner import InterfaceView, NodeView, World, groups, plan
from vipa.reasons import Reason
from vipa.resources import (
    LabelSelector,
    ListEntry,
    ObjectMeta,
    PreferredInterfaceList,
    PreferredInterfaceListSpec,
    VirtualIP,
    VirtualIPSpec,
)

NODES = (
    NodeView("w1", {}, (InterfaceView("eth1", ("10.1.1.4/24",)),)),
    NodeView("w2", {}, (InterfaceView("eth1", ("10.1.1.6/24",)),)),
)


def vip(name: str, address: str, created: str = "", **spec: object) -> VirtualIP:
    meta = ObjectMeta(name=name, creation_timestamp=created)
    return VirtualIP(metadata=meta, spec=VirtualIPSpec((address,), **spec))  # type: ignore[arg-type]


def pil(name: str, *texts: str, created: str = "") -> PreferredInterfaceList:
    entries = tuple(ListEntry(address=text) for text in texts)
    meta = ObjectMeta(name=name, creation_timestamp=created)
    return PreferredInterfaceList(metadata=meta, spec=PreferredInterfaceListSpec(entries))


BYSTANDER = vip("bystander", "10.1.1.99")


def judged(world: World) -> dict[str, Reason]:
    """Refused VIPs and why; the bystander must be planned as if it were alone."""
    planned = plan(World((*world.vips, BYSTANDER), world.lists, world.nodes or NODES, world.refused))
    alone = plan(World((BYSTANDER,), (), world.nodes or NODES)).vips
    assert [v for v in planned.vips if v.name == "bystander"] == list(alone)
    return {r.name: r.reason for r in planned.refusals if r.kind == "VirtualIP"}


def test_the_older_vip_keeps_an_address() -> None:
    old, new = vip("zoo", "10.1.1.7", "2026-01-01T00:00:00Z"), vip("ant", "10.1.1.7", "2026-01-02T00:00:00Z")
    assert judged(World((new, old))) == {"ant": Reason.ADDRESS_IN_USE}


def test_of_equally_old_vips_the_first_by_name_keeps_it() -> None:
    assert judged(World((vip("zoo", "10.1.1.7"), vip("ant", "10.1.1.7")))) == {"zoo": Reason.ADDRESS_IN_USE}


def test_an_invalid_vip_holds_no_address_but_one_without_candidates_does() -> None:
    broken = vip("ant", "10.1.1.7", interfaces=("a b",))
    assert judged(World((broken, vip("zoo", "10.1.1.7")))) == {"ant": Reason.INVALID}
    idle = vip("ant", "10.1.1.7", interfaces=("nothing*",))
    assert judged(World((idle, vip("zoo", "10.1.1.7")))) == {
        "ant": Reason.NO_CANDIDATES,
        "zoo": Reason.ADDRESS_IN_USE,
    }


def test_a_nodes_own_address_is_refused() -> None:
    assert judged(World((vip("erp", "10.1.1.4"),))) == {"erp": Reason.NODE_ADDRESS}


def test_an_address_listed_as_an_interfaces_own_is_refused() -> None:
    world = World((vip("erp", "10.1.1.7", preferred_interface_list="l"),), (pil("l", "10.1.1.7", "10.1.1.8"),))
    assert judged(world) == {"erp": Reason.NODE_ADDRESS}


def test_a_vip_refused_for_its_address_does_not_cost_another_its_endpoint() -> None:
    lists = (pil("l", "10.1.1.7", "10.1.1.8"),)
    erp, web = (vip(n, a, preferred_interface_list="l") for n, a in (("erp", "10.1.1.7"), ("web", "10.1.1.20")))
    planned = plan(World((erp, web), lists))
    assert [r.reason for r in planned.refusals] == [Reason.NODE_ADDRESS]
    assert [e.address for e in planned.vips[0].succession] == ["10.1.1.7", "10.1.1.8"]


def test_a_newer_list_cannot_stop_a_vip_that_does_not_use_it() -> None:
    erp = vip("erp", "10.1.1.7", "2026-01-01T00:00:00Z")
    assert judged(World((erp,), (pil("evil", "10.1.1.7", created="2026-02-01T00:00:00Z"),))) == {}
    assert judged(World((erp,), (pil("old", "10.1.1.7", created="2025-02-01T00:00:00Z"),))) == {
        "erp": Reason.NODE_ADDRESS
    }


@pytest.mark.parametrize(("address", "what"), [("10.1.1.0", "network"), ("10.1.1.255", "broadcast")])
def test_edges_of_the_subnet_are_refused(address: str, what: str) -> None:
    planned = plan(World((vip("erp", address),), (), NODES))
    assert planned.refusals[0].reason is Reason.INVALID
    assert what in planned.refusals[0].message


def test_a_missing_list_is_named_with_those_that_exist() -> None:
    world = World((vip("erp", "10.1.1.7", preferred_interface_list="ibmi"),), (pil("ibm-i", "10.1.1.4"),))
    assert judged(world) == {"erp": Reason.LIST_NOT_FOUND}
    assert "there are ibm-i" in plan(world).refusals[0].message


def test_a_refused_list_refuses_its_users_with_its_own_problem() -> None:
    users = (vip("erp", "10.1.1.7", preferred_interface_list="l"),)
    assert judged(World(users, (pil("l", "10.1.1"),))) == {"erp": Reason.INVALID}
    unread = Refusal("PreferredInterfaceList", "l", Reason.INVALID, "f.yaml:3: spec.interfaces: must be a list")
    planned = plan(World(users, refused=(unread,)))
    assert [(r.kind, r.reason) for r in planned.refusals] == [
        ("PreferredInterfaceList", Reason.INVALID),
        ("VirtualIP", Reason.INVALID),
    ]
    assert "f.yaml:3" in planned.refusals[1].message


@pytest.mark.parametrize(
    ("world", "remedy"),
    [
        (World((vip("erp", "10.1.1.7"),)), "write a PreferredInterfaceList"),
        (World((vip("erp", "10.9.9.9"),), (), NODES), "no interface of any node has a subnet that holds 10.9.9.9"),
        (World((vip("erp", "10.1.1.7", interfaces=("x*",)),), (), NODES), "that spec.interfaces let through"),
        (
            World(
                (vip("erp", "10.1.1.7", preferred_interface_list="l", node_selector=LabelSelector({"a": "b"})),),
                (pil("l", "10.1.1.4"),),
            ),
            "spec.nodeSelector can only be judged with a VirtualIPNode",
        ),
    ],
)
def test_no_candidates_says_what_to_write(world: World, remedy: str) -> None:
    refusals = plan(world).refusals
    assert [r.reason for r in refusals] == [Reason.NO_CANDIDATES]
    assert remedy in refusals[0].message


def test_groups_are_vips_with_the_same_succession_and_policy() -> None:
    lists = (pil("l", "10.1.1.4", "10.1.1.6"), pil("r", "10.1.1.6", "10.1.1.4"))
    vips = (
        vip("a", "10.1.1.11", preferred_interface_list="l"),
        vip("b", "10.1.1.12", preferred_interface_list="l"),
        vip("c", "10.1.1.13", preferred_interface_list="r"),
        vip("d", "10.1.1.14", preferred_interface_list="l", paused=True),
    )
    found = groups(plan(World(vips, lists)))
    assert sorted(found.values()) == [("a", "b"), ("c",), ("d",)]
    fewer = groups(plan(World(vips[1:], lists)))
    assert {g for g, names in found.items() if "b" in names}.isdisjoint(fewer), "another VIP set is another group"
    assert {g for g, names in found.items() if names in (("c",), ("d",))} < set(fewer)
