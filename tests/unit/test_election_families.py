"""A virtual IP of both families: what is asked by which sender, and what counts as its owner or as contact."""

import pytest

from unit.fakes.machine import Machine
from unit.fakes.names import VIP, ip, mac_of
from unit.fakes.net import Net
from unit.fakes.scenes import holder_and_spare
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.health import ANYBODY, Health
from vipa.election.states import State
from vipa.frames6 import ALL_NODES, UNSPECIFIED
from vipa.heartbeat import WireRole
from vipa.plan import Endpoint, PlannedVip
from vipa.reasons import Reason

VIP6, OWN6, LINK_LOCAL, ROUTER6 = "fd00:1::7", "fd00:1::5", "fe80::5", "fe80::1"
FOREIGN = "aa:aa:aa:aa:aa:aa"
BOTH = PlannedVip("v", (VIP, VIP6), (Endpoint(ip(4)), Endpoint(ip(5), "b", "eth1")))


def spare(net: Net, *own: str, link_local: str = "") -> Machine:
    """b, spare of the holder p for an address of each family; its interface has the addresses ``own`` besides."""
    b, p = net.machine("b", 5), net.puppet("p", 4)
    old = b.nics["eth1"]
    addresses = (*old.addresses, *(f"{a}/64" for a in own))
    b.nics["eth1"] = ev.LocalInterface(
        "eth1", old.mac, addresses, gateways=(*old.gateways, ROUTER6), link_local=link_local
    )
    net.start(BOTH)
    p.speak(WireRole.HOLDER)
    net.run(1)
    assert b.is_(State.SPARE)
    p.speaks = False
    return b


def asked(net: Net) -> set[tuple[str, str]]:
    """(address, sender) of all questions of b."""
    probes = [e.action for e in net.did("b", act.Probe)]
    return {(p.address, p.sender_address) for p in probes if isinstance(p, act.Probe)}


@pytest.mark.parametrize(
    ("own", "link_local", "sender"),
    [((OWN6,), LINK_LOCAL, LINK_LOCAL), ((OWN6,), "", OWN6), ((), "", UNSPECIFIED)],
)
def test_each_address_is_asked_for_by_one_of_its_family(
    net: Net, own: tuple[str, ...], link_local: str, sender: str
) -> None:
    b = spare(net, *own, link_local=link_local)
    net.until(lambda: b.is_(State.HOLDER), 1)
    questions = asked(net)
    assert {(VIP, ip(5)), (VIP6, sender)} <= questions
    assert not {address for address, _ in questions} & {ROUTER6}, "its endpoint is known by IPv4: that path is measured"
    announced = net.did("b", act.Announce)[0].action
    assert isinstance(announced, act.Announce)
    assert announced.addresses == (VIP, VIP6)


@pytest.mark.parametrize("to", [LINK_LOCAL, ALL_NODES])
def test_a_foreign_owner_of_either_stops_the_claim_of_both(net: Net, to: str) -> None:
    b = spare(net, OWN6, link_local=LINK_LOCAL)
    net.until(lambda: b.is_(State.SUSPECTING), 1)
    b.step(ev.ArpSeen("eth1", ev.ArpKind.REPLY, FOREIGN, VIP6, to))
    net.run(0.5)
    assert not net.did("b", act.BeginClaim)
    assert b.vip().conflict == FOREIGN


def test_a_rival_for_the_second_address_is_named(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(PlannedVip("v", (VIP, VIP6), (Endpoint(ip(4), "a", "eth1"), Endpoint(ip(5)))))
    p.speak()
    net.run(1)
    assert a.is_(State.HOLDER)
    a.step(ev.ArpSeen("eth1", ev.ArpKind.REPLY, FOREIGN, VIP6, ALL_NODES))
    assert net.notices("a", Reason.CONFLICT)
    assert a.is_(State.HOLDER)


def test_whoever_asks_without_an_address_is_no_station_to_be_asked(net: Net) -> None:
    a, _ = holder_and_spare(net)
    for sender in (UNSPECIFIED, ANYBODY):
        a.step(ev.ArpSeen("eth1", ev.ArpKind.REQUEST, FOREIGN, sender, VIP))
    assert not {UNSPECIFIED, ANYBODY} & set(a.elector.node.health.endpoints[ip(4)].stations)


def test_an_endpoint_asks_its_own_family_only() -> None:
    """Its path is what clients of that family use; both would be twice the broadcasts."""
    health = Health()
    interface = ev.LocalInterface(
        "eth1", mac_of(ip(5)), (f"{ip(5)}/24", f"{OWN6}/64"), gateways=(ip(254), ROUTER6), link_local=LINK_LOCAL
    )
    four = PlannedVip("v", (VIP,), (Endpoint(ip(5)), Endpoint(ip(4))))
    six = PlannedVip("w", (VIP6,), (Endpoint(OWN6), Endpoint("fd00:1::4")))
    health.configure(100.0, (four, six), (interface,))
    by_address = health.endpoints
    assert by_address[ip(5)].asked == (ip(254), ip(4))
    assert by_address[OWN6].asked == (ROUTER6, "fd00:1::4")
    assert by_address[OWN6].network == "fd00:1::/64"
    for station in (ip(99), "fe80::99"):
        health.heard(100.0, "eth1", station)
    assert by_address[ip(5)].stations == [ip(99)]
    assert by_address[OWN6].stations == ["fe80::99"]
    assert (by_address[OWN6].sender_to(VIP6), by_address[OWN6].sender_to(VIP)) == (OWN6, ANYBODY)
