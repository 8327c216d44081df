"""An interface that gets another name: the kernel's gate goes by names, so the holder elects it anew."""

from unit.fakes.machine import Machine
from unit.fakes.names import VIP
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.reasons import Reason


def rename(machine: Machine, old: str, new: str) -> None:
    nic = machine.nics.pop(old)
    machine.nics[new] = ev.LocalInterface(new, nic.mac, nic.addresses, True, True, nic.gateways)
    machine.step(ev.InterfacesChanged(tuple(machine.nics.values())))


def test_the_holder_answers_on_the_new_name_at_once(net: Net) -> None:
    a = net.machine("a", 4)
    net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    assert a.answers(VIP, "eth1")
    renamed = net.now
    rename(a, "eth1", "lan1")
    net.run(0.01)
    assert a.answers(VIP, "lan1")
    (move,) = [e.action for e in net.did("a", act.Move) if e.at >= renamed]
    assert isinstance(move, act.Move)
    assert (move.old, move.new) == ("eth1", "lan1")
    net.run(5)
    assert net.answerers() == ["a"]
    assert a.is_(State.HOLDER)
    assert a.vip().reason is Reason.INTERFACE_RENAMED
    assert not net.doubles


def test_the_successor_may_hold_under_another_name_than_the_list_says(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(1)
    rename(b, "eth1", "lan1")
    net.run(1)
    a.on = False
    net.until(lambda: b.answers(VIP, "lan1"), 1)
