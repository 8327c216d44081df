"""Virtual IPs of one family and of both: an endpoint is known by one address, and its interface is on every LAN."""

import pytest

from vipa.plan import Endpoint, Plan
from vipa.planner import InterfaceView, NodeView, World, plan
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

BOTH = NodeView("w1", {}, (InterfaceView("eth1", ("10.1.1.4/24", "fd00:1::4/64")),))
ONLY_4 = NodeView("w2", {}, (InterfaceView("eth1", ("10.1.1.5/24",)),))
ONLY_6 = NodeView("w3", {}, (InterfaceView("eth1", ("fd00:1::6/64",)),))
APART = NodeView("w4", {}, (InterfaceView("eth1", ("10.1.1.8/24",)), InterfaceView("eth2", ("fd00:1::8/64",))))
NODES = (BOTH, ONLY_4, ONLY_6, APART)


def planned(*addresses: str, nodes: tuple[NodeView, ...] = NODES, listed: tuple[str, ...] = ()) -> Plan:
    name = "l" if listed else ""
    vip = VirtualIP(metadata=ObjectMeta(name="erp"), spec=VirtualIPSpec(addresses, preferred_interface_list=name))
    entries = tuple(ListEntry(address=address) for address in listed)
    pil = PreferredInterfaceList(metadata=ObjectMeta(name="l"), spec=PreferredInterfaceListSpec(entries, Fallback.NONE))
    return plan(World((vip,), (pil,) if listed else (), nodes))


def endpoints(found: Plan) -> set[Endpoint]:
    assert found.refusals == ()
    return set(found.vips[0].succession)


W1_V4, W1_V6 = Endpoint("10.1.1.4", "w1", "eth1"), Endpoint("fd00:1::4", "w1", "eth1")


def test_each_family_has_its_own_lan() -> None:
    assert {e.address for e in endpoints(planned("10.1.1.7"))} == {"10.1.1.4", "10.1.1.5", "10.1.1.8"}
    assert {e.address for e in endpoints(planned("fd00:1::7"))} == {"fd00:1::4", "fd00:1::6", "fd00:1::8"}


@pytest.mark.parametrize("addresses", [("10.1.1.7", "fd00:1::7"), ("fd00:1::7", "10.1.1.7")])
def test_both_families_need_an_interface_on_both_lans(addresses: tuple[str, str]) -> None:
    found = planned(*addresses)
    assert found.vips[0].addresses == ("10.1.1.7", "fd00:1::7"), "IPv4 first, however it is written"
    assert endpoints(found) == {W1_V4}, "w4 has both, but on different interfaces"


def test_without_any_it_says_which_addresses() -> None:
    (refusal,) = planned("10.1.1.7", "fd00:1::7", nodes=(ONLY_4, ONLY_6, APART)).refusals
    assert refusal.reason is Reason.NO_CANDIDATES
    assert "10.1.1.7 and fd00:1::7" in refusal.message


def test_a_list_names_an_interface_by_either_address() -> None:
    assert endpoints(planned("10.1.1.7", "fd00:1::7", listed=("fd00:1::4",))) == {W1_V4}
    assert endpoints(planned("fd00:1::7", listed=("10.1.1.4",))) == {W1_V6}
    assert planned("fd00:1::7", listed=("10.1.1.5",)).refusals[0].reason is Reason.NO_CANDIDATES


def test_a_folder_without_nodes_takes_the_list_by_its_word() -> None:
    listed = ("fd00:1::4", "10.1.1.5")
    assert endpoints(planned("10.1.1.7", "fd00:1::7", nodes=(), listed=listed)) == {Endpoint(a) for a in listed}


def test_the_routers_anycast_address_is_no_hosts() -> None:
    (refusal,) = planned("fd00:1::").refusals
    assert (refusal.reason, "any router" in refusal.message) == (Reason.INVALID, True)
