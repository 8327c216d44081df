"""Shutdown: what can be handed over is, and the agent may exit within three seconds."""

import pytest

from unit.fakes.machine import Machine
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.reasons import Reason

STOP_S = 3.0  # 02-promises: SIGTERM to exit


def stop(net: Net, machine: Machine) -> float:
    machine.step(ev.StopAsked())
    return net.until(lambda: machine.stopped, STOP_S)


def test_a_holder_hands_over_and_ends(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    begin = net.now
    stop(net, a)
    a.on = False
    assert net.answerers() == ["b"]
    assert b.vip().reason is Reason.HANDED_OVER
    assert not a.bound
    assert not net.doubles
    revoked = net.did("a", act.Revoke)[-1].at
    held = next(e.at for e in net.did("b", act.Announce) if e.at > begin)
    assert held - revoked < 0.005
    net.run(5)
    assert net.answerers() == ["b"]


def test_a_holder_without_a_successor_releases_and_ends(net: Net) -> None:
    a, _ = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    assert a.is_(State.HOLDER)
    assert stop(net, a) < 0.1
    assert not a.elected
    assert not a.bound
    assert net.did("a", act.Transition)[-1].action == act.Transition(
        "v", State.HOLDER, State.SPARE, "", Reason.SHUTDOWN, 1
    )


def test_a_successor_that_does_not_answer_does_not_hold_up_the_exit(net: Net) -> None:
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak()
    net.run(1)
    stop(net, a)
    assert not a.elected
    assert not a.bound


def test_a_spare_ends_at_once(net: Net) -> None:
    net.machine("a", 4)
    b = net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    assert stop(net, b) < 0.1
    assert net.answerers() == ["a"]


def test_a_stopping_node_claims_nothing_and_is_offered_nothing(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    b.step(ev.StopAsked())
    a.on = False
    net.run(5)
    assert not net.did("b", act.BeginClaim, act.Permit)


@pytest.mark.parametrize("asked", ["before", "within", "with the thaw"])
def test_a_node_frozen_while_it_stops_hands_over_once_it_hears_the_others_again(net: Net, asked: str) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    begin = net.now
    if asked == "before":
        a.step(ev.StopAsked())
    a.frozen = True
    net.run(0.1)  # longer than a silence, shorter than the permit
    if asked == "within":
        a.waiting.append(ev.StopAsked())
    elif asked == "with the thaw":
        a.waiting.insert(0, ev.StopAsked())  # it is heard before what waits on the sockets
    a.thaw()
    net.until(lambda: a.stopped, STOP_S)
    assert b.vip().reason is Reason.HANDED_OVER
    assert not net.doubles
    unbound = net.did("a", act.Unbind)[-1].at
    assert net.did("b", act.Permit)[0].at < unbound
    assert unbound > begin + 0.1


def test_the_last_words_of_a_node_that_stops_are_that_it_has_let_go(net: Net) -> None:
    a = net.machine("a", 4)
    net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    net.cuts = {("*", "10.1.1.4")}  # a hears nobody, so it cannot hand over
    a.step(ev.StopAsked())
    net.until(lambda: a.stopped, STOP_S)
    kinds = [type(e.action) for e in net.did("a", act.SendBeat, act.Revoke, act.Stopped)]
    assert kinds[-1] is act.Stopped
    assert act.SendBeat in kinds[len(kinds) - kinds[::-1].index(act.Revoke) :]
