"""What routers are told of a node's virtual IPs, out of its election."""

import msgspec

from unit.fakes.machine import Machine
from unit.fakes.net import Net
from vipa.election import events as ev
from vipa.election.handover import LINGER_S
from vipa.election.states import State
from vipa.plan import FailbackPolicy, Plan, Policy
from vipa_agent.bgp.rank import EVERYWHERE
from vipa_agent.bgp.serving import WITHDRAW_S, prefix, served, well

AT_ONCE = Policy(failback=FailbackPolicy.IMMEDIATE)


def told(machine: Machine, before: dict[str, int] | None = None) -> dict[str, int]:
    return served(machine.elector.node, before or {}, machine.net.now)[0]


def test_the_holder_advertises_in_its_term_and_a_spare_nothing(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5)
    net.start(vip)
    net.until(lambda: net.answerers() == ["a"], 10)
    assert told(a) == {prefix(address): a.vip().term for address in vip.addresses}
    assert told(b) == {}


def test_who_hands_over_advertises_until_shortly_before_its_address_goes(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = net.vip(4, 5, policy=AT_ONCE)
    b.start(Plan(0, (vip,)))
    net.run(2)
    before = told(b)
    a.start(Plan(0, (vip,)))
    net.until(lambda: net.answerers() == ["a"], 10)
    net.until(lambda: b.is_(State.SPARE), 1)
    kept, until = served(b.elector.node, before, net.now)
    assert kept == before
    assert told(b) == {}, "what it never advertised it does not begin to"
    assert told(a)[prefix(vip.addresses[0])] > before[prefix(vip.addresses[0])], "routers prefer the successor"
    assert until == b.vip().linger_until - WITHDRAW_S
    net.run(LINGER_S - WITHDRAW_S + 0.01)
    assert b.vip().bound
    assert told(b, before) == {}


def test_copies_of_an_address_that_all_have_are_alike(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    vip = msgspec.structs.replace(net.vip(4, 5), everywhere=True)
    net.start(vip)
    net.until(lambda: net.answerers() == ["a"], 10)
    everywhere = {prefix(address): EVERYWHERE for address in vip.addresses}
    assert told(a) == told(b) == everywhere
    b.step(ev.StopAsked())
    assert told(b, everywhere) == {}, "others serve it: at once"


def test_a_holder_whose_permit_has_ended_advertises_nothing(net: Net) -> None:
    a, _ = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.until(lambda: net.answerers() == ["a"], 10)
    node = a.elector.node
    assert a.vip().state is State.HOLDER
    assert served(node, told(a), node.permits.until["eth1"] + 0.001) == ({}, float("inf"))
    a.vip().held = None  # between a lapse and what follows from it
    assert told(a) == {}


def test_an_adapter_without_a_link_is_not_well(net: Net) -> None:
    a = net.machine("a", 4, 5)
    net.start(net.vip(4, 5))
    net.run(1)
    assert well(a.elector.node) == {"eth1", "eth2"}
    a.interface("eth1", carrier=False)
    assert well(a.elector.node) == {"eth2"}


def test_prefixes_are_written_as_frr_does() -> None:
    assert [prefix("10.1.1.7"), prefix("fd00::7")] == ["10.1.1.7/32", "fd00::7/128"]
