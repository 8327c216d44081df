"""Guests behind bridges: a node without the guest is no candidate, whoever else there is."""

import asyncio

import msgspec
import pytest

from unit.fakes.machine import Machine
from unit.fakes.names import VIP, ip
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.checks import FAILING
from vipa.election.duel import UNRANKED
from vipa.election.states import State
from vipa.plan import Plan
from vipa.planner import groups
from vipa.reasons import Reason
from vipa_agent import picture

MOVE_S = 1.0
WHY = (Reason.GUEST_SILENT, f"{VIP} does not answer behind br0")


def here(machine: Machine) -> None:
    machine.step(ev.GuestsChanged(frozenset({VIP})))


def gone(machine: Machine) -> None:
    machine.step(ev.GuestsChanged(absent={VIP: WHY}))


def machines(net: Net, *lasts: int) -> list[Machine]:
    """a, b, … in this order; nobody knows yet where the guest is."""
    found = [net.machine(name, last) for name, last in zip("abc", lasts, strict=False)]
    net.start(msgspec.structs.replace(net.vip(*lasts), bridge="br0"))
    return found


def wait_holder(net: Net, name: str) -> None:
    net.until(lambda: net.answerers() == [name] and net.machines[name].is_(State.HOLDER), MOVE_S)


def test_a_bridge_is_each_nodes_own_affair_but_makes_another_group(net: Net) -> None:
    plain = net.vip(4, 5)
    behind = msgspec.structs.replace(plain, bridge="br0")
    assert (behind.id, behind.digest) == (plain.id, plain.digest)
    assert groups(Plan(0, (behind,))).keys() != groups(Plan(0, (plain,))).keys()


def test_nobody_serves_before_it_is_known_where_the_guest_is(net: Net) -> None:
    a, b = machines(net, 4, 5)
    net.run(2)
    assert net.answerers() == []
    assert picture.reason_of(a.elector.node, a.vip()) is Reason.LISTENING
    gone(a)
    here(b)
    wait_holder(net, "b")
    assert picture.role(a.elector.node, a.vip()) == "Excluded"
    assert picture.reason_of(a.elector.node, a.vip()) is Reason.GUEST_SILENT
    assert asyncio.run(picture.status(a.elector, "boot"))["vips"][0]["failing"] == [WHY[1]]


def test_a_holder_whose_guest_falls_silent_lets_go_though_it_is_the_only_node(net: Net) -> None:
    (a,) = machines(net, 4)
    here(a)
    wait_holder(net, "a")
    gone(a)
    net.run(1)
    assert net.answerers() == []
    assert not a.bound
    assert a.vip().reason in (Reason.GUEST_SILENT, Reason.LISTENING)
    here(a)
    wait_holder(net, "a")


def test_without_the_guest_nobody_holds_however_long_nobody_serves(net: Net) -> None:
    a, b = machines(net, 4, 5)
    here(a)
    gone(b)
    wait_holder(net, "a")
    gone(a)
    net.run(20)
    assert net.answerers() == []
    assert [picture.role(m.elector.node, m.vip()) for m in (a, b)] == ["Excluded"] * 2


def test_it_is_offered_to_nobody_who_has_no_guest(net: Net) -> None:
    """The better node is healthy, and its agent is told that this one stops: no offer goes there."""
    a, b = machines(net, 4, 5)
    gone(a)
    here(b)
    wait_holder(net, "b")
    net.run(60)  # longer than any failback delay
    assert net.answerers() == ["b"]
    b.step(ev.StopAsked())
    net.run(1)
    assert b.stopped
    assert not a.bound
    assert State.YIELDING not in net.states("b")


def test_peers_are_told_as_of_a_failing_check(net: Net) -> None:
    a, b = machines(net, 4, 5)
    here(b)
    wait_holder(net, "b")
    assert b.elector.node.peers["a"].roles[a.vip().id].entry.rank == UNRANKED  # not known yet
    gone(a)
    net.run(0.5)
    assert b.elector.node.peers["a"].roles[a.vip().id].entry.rank == FAILING


def test_an_adopted_address_is_served_until_it_is_known_that_the_guest_is_gone(net: Net) -> None:
    (a,) = machines(net, 4)
    here(a)
    wait_holder(net, "a")
    a.restart()
    net.run(0.5)
    assert net.answerers() == ["a"]
    assert a.vip().reason is Reason.ADOPTED
    gone(a)
    net.run(0.5)
    assert net.answerers() == []


@pytest.mark.parametrize("bridge", ["", "br0"])
def test_the_kernel_is_told_which_addresses_live_behind_a_bridge(net: Net, bridge: str) -> None:
    a = net.machine("a", 4)
    net.start(msgspec.structs.replace(net.vip(4), bridge=bridge))
    guards = [e.action for e in net.did("a", act.Guard)]
    last = guards[-1]
    assert isinstance(last, act.Guard)
    assert last.behind == (((VIP, "br0"),) if bridge else ())
    assert last.own == ((next(iter(a.nics)), f"{ip(4)}/24"),)
