"""Keys changed while two elections talk: add, roll, swap, roll, remove."""

from dataclasses import replace

import pytest

from unit.fakes.machine import Machine
from unit.fakes.names import CLUSTER, KEY, ip, mac_of
from unit.fakes.net import Net
from vipa.election import events as ev
from vipa.election.states import State
from vipa.heartbeat import Key

NEW = Key(8, b"another secret, of sixteen bytes and more")
BETWEEN_S = 0.5
"""One node has read the file and the other has not: five silences and more."""


def pair(net: Net, cluster: str) -> tuple[Machine, Machine]:
    """a holds, b is its spare."""
    a, b = net.machine("a", 4), net.machine("b", 5)
    for machine in (a, b):
        machine.elector.node.config = replace(machine.elector.node.config, cluster=cluster)
        machine.elector.receiver.rekeyed()
    net.start(net.vip(4, 5))
    net.run(2)
    assert a.is_(State.HOLDER)
    return a, b


@pytest.mark.parametrize("cluster", [CLUSTER, ""])
def test_in_the_documented_order_no_heartbeat_is_refused_and_nothing_moves(net: Net, cluster: str) -> None:
    a, b = pair(net, cluster)
    before, moves = [dict(m.results) for m in (a, b)], [len(net.states(m.name)) for m in (a, b)]
    for keys in ((KEY, NEW), (NEW, KEY), (NEW,)):
        for machine in (a, b):
            machine.step(ev.KeysChanged(keys))
            net.run(BETWEEN_S)
    for machine, counted in zip((a, b), before, strict=True):
        assert machine.results["accepted"] - counted["accepted"] > 50
        assert {k: n for k, n in machine.results.items() if k != "accepted"} == {
            k: n for k, n in counted.items() if k != "accepted"
        }
    assert [len(net.states(m.name)) for m in (a, b)] == moves


@pytest.mark.parametrize(("cluster", "word"), [(CLUSTER, "key"), ("", "cluster")])
def test_a_key_that_is_gone_is_heard_no_more(net: Net, cluster: str, word: str) -> None:
    a, b = pair(net, cluster)
    a.step(ev.KeysChanged((NEW,)))
    net.run(BETWEEN_S)
    assert a.results[word] > 0
    assert b.results[word] > 0


def test_a_copy_of_a_heartbeat_is_verified_again_when_its_key_has_gone(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5))
    p.speak()
    net.run(1)
    b.step(ev.KeysChanged((NEW,)))
    b.step(ev.BeatReceived("eth1", ip(4), mac_of(ip(4)), p.said[-2]))
    assert b.results["key"] == 1
