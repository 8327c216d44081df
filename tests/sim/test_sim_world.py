"""The world around the cores behaves like the kernels, clocks and wires it stands for."""

from collections.abc import Callable
from random import Random

import pytest

from vipa.election.events import ArpKind
from vipa_sim.engine import Clock, Engine
from vipa_sim.faults import Faults
from vipa_sim.kernel import Kernel
from vipa_sim.lan import Arp, Frame, Lan, Port
from vipa_sim.process import Core, Identity
from vipa_sim.runs import cold_start, settle
from vipa_sim.world import Shape, World

Scripted = Callable[..., Callable[[Identity], Core]]
VIP = ("10.1.1.200",)
FRAME = Arp(ArpKind.REQUEST, "m", "10.1.1.9", "10.1.1.1")


@pytest.fixture
def lan() -> Lan:
    return Lan(Engine(), Random(1))


def station(lan: Lan, name: str) -> tuple[Port, list[Frame]]:
    heard: list[Frame] = []
    return lan.plug(Port(name, f"mac-{name}", heard.append)), heard


def test_calls_run_in_order_of_time_then_of_asking() -> None:
    engine, seen = Engine(), list[str]()
    engine.at(2.0, seen.append, "c")
    engine.at(1.0, seen.append, "a")
    engine.at(1.0, seen.append, "b")
    engine.run_until(1.5)
    assert seen == ["a", "b"]
    assert engine.now == 1.5


def test_a_fast_clock_gains_and_converts_back() -> None:
    clock = Clock(10.0, 1000.0, 1.0002)
    assert clock.local(20.0) == pytest.approx(1010.002)
    assert clock.world(clock.local(20.0)) == pytest.approx(20.0)


@pytest.mark.parametrize(("fault", "to_b", "to_a"), [("deaf", False, True), ("mute", True, False), ("blocked", 0, 0)])
def test_a_port_fails_one_way_or_both(lan: Lan, fault: str, to_b: bool, to_a: bool) -> None:
    (a, heard_a), (b, heard_b) = station(lan, "a"), station(lan, "b")
    setattr(b, fault, True)
    lan.send(a, "", FRAME)
    lan.send(b, a.mac, FRAME)
    lan.engine.run_until(0.001)
    assert (bool(heard_b), bool(heard_a)) == (bool(to_b), bool(to_a))


def test_groups_and_cuts_divide(lan: Lan) -> None:
    (a, _), (b, heard_b), (_, heard_c) = station(lan, "a"), station(lan, "b"), station(lan, "c")
    b.group = 1
    lan.cuts.add(("a", "c"))
    lan.send(a, "", FRAME)
    lan.engine.run_until(0.001)
    assert (heard_b, heard_c) == ([], [])
    b.group, lan.cuts = 0, set()
    lan.send(a, "", FRAME)
    lan.engine.run_until(0.002)
    assert (heard_b, heard_c) == ([FRAME], [FRAME])


def test_loss_is_about_what_was_asked_for(lan: Lan) -> None:
    (a, _), (b, heard_b) = station(lan, "a"), station(lan, "b")
    lan.loss = 0.3
    for _ in range(2000):
        lan.send(a, b.mac, FRAME)
    lan.engine.run_until(1.0)
    assert 0.25 < 1 - len(heard_b) / 2000 < 0.35


def kernel() -> Kernel:
    made = Kernel(strict_arp=False, guarded=set(VIP))
    made.bind(VIP, ("eth1",))
    made.begin_claim(VIP, 0.1)
    assert made.permit(VIP, "eth1", 0.5, 0.05)
    return made


def test_the_permit_ends_by_itself_and_cannot_be_brought_back() -> None:
    gate = kernel()
    assert gate.answers(VIP[0], "eth1", 0.499)
    assert not gate.answers(VIP[0], "eth1", 0.5)
    assert not gate.lets_out(VIP[0], "eth1", 0.5)
    assert not gate.renew("eth1", 1.5, 0.6)
    assert not gate.answers(VIP[0], "eth1", 0.7)


def test_a_renewed_permit_goes_on_and_only_on_its_interface() -> None:
    gate = kernel()
    assert gate.renew("eth1", 0.9, 0.4)
    assert gate.answers(VIP[0], "eth1", 0.8)
    assert not gate.answers(VIP[0], "eth2", 0.8)


def test_a_claim_that_came_too_late_is_refused() -> None:
    gate = Kernel(strict_arp=False, guarded=set(VIP))
    gate.begin_claim(VIP, 0.1)
    assert not gate.permit(VIP, "eth1", 0.7, 0.11)
    assert not gate.elected


def test_only_a_live_holder_moves_within_the_node() -> None:
    gate = kernel()
    gate.bind(VIP, ("eth2",))
    assert gate.move(VIP, "eth1", "eth2", 0.6, 0.1)
    assert not gate.answers(VIP[0], "eth1", 0.2)
    assert gate.answers(VIP[0], "eth2", 0.2)
    assert not gate.move(VIP, "eth2", "eth1", 1.2, 0.7)


def held(scripted: Scripted, seed: int = 1) -> tuple[World, str]:
    world = World(seed, Shape(nics=(1, 1)), scripted())
    cold_start(world, Random(seed))
    world.run(0.7)
    assert settle(world, 3.0) == []
    holder = world.holder(world.addresses[0])
    assert holder is not None
    return world, holder[0]


def who_holds(world: World) -> str:
    """The node that holds the first virtual IP; "" for nobody."""
    return (world.holder(world.addresses[0]) or ("",))[0]


def test_a_killed_agent_leaves_the_kernel_answering_until_the_permit_ends(scripted: Scripted) -> None:
    world, node = held(scripted)
    machine = world.machines[node]
    Faults(world).kill(node)
    until = machine.kernel.alive["eth1"]
    assert until - world.engine.now < 0.51
    world.engine.run_until(until - 0.001)
    assert world.holder(world.addresses[0]) is not None
    world.engine.run_until(until)
    assert not machine.kernel.answers(world.addresses[0], "eth1", world.engine.now)
    assert machine.kernel.bound[world.addresses[0]]


def test_a_frozen_agent_thaws_with_its_permit_gone_and_lets_go(scripted: Scripted) -> None:
    world, node = held(scripted)
    faults = Faults(world)
    faults.freeze(node)
    world.run(2.0)
    faults.thaw(node)
    world.run(0.5)
    assert settle(world, 3.0) == []
    assert who_holds(world) not in ("", node)
    assert world.judge.failures() == []


def test_a_short_freeze_moves_nothing(scripted: Scripted) -> None:
    world, node = held(scripted)
    faults = Faults(world)
    faults.freeze(node)
    world.run(0.1)
    faults.thaw(node)
    world.run(2.0)
    assert who_holds(world) == node


def test_a_restarted_agent_adopts_what_is_alive(scripted: Scripted) -> None:
    world, node = held(scripted)
    Faults(world).kill(node, back_after_s=0.1)
    lost = sum(o.lost for o in world.clients[0].outages)
    world.run(2.0)
    assert who_holds(world) == node
    assert sum(o.lost for o in world.clients[0].outages) == lost


def test_power_off_ends_the_answers_and_a_boot_forgets_them(scripted: Scripted) -> None:
    world, node = held(scripted)
    faults = Faults(world)
    faults.power_off(node)
    assert world.judge.answering(world.addresses[0]) == {}
    boot_id = world.machines[node].boot_id
    faults.start(node)
    assert world.machines[node].kernel.bound == {}
    assert world.machines[node].boot_id != boot_id


def test_a_second_link_event_may_come_late_but_the_poll_finds_it(scripted: Scripted) -> None:
    world, node = held(scripted)
    faults, process = Faults(world), world.machines[node].process
    assert process is not None
    told: list[float] = []
    tell = process.tell
    process.tell = lambda event: (told.append(world.engine.now), tell(event))[1]  # type: ignore[method-assign,func-returns-value]
    faults.carrier(node, "eth1", up=False)
    struck = world.engine.now
    faults.carrier(node, "eth1", up=True)
    world.run(0.021)
    assert min(told) - struck < 0.0011
    assert len(told) >= 3
