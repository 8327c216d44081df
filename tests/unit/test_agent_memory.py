"""What an agent's state file says to the next one."""

from unit.fakes.net import Net
from vipa.election import events as ev
from vipa.plan import Plan, Policy
from vipa_agent.adoption import adoptable, held_last, memory
from vipa_agent.kernel.flips import Held


def test_terms_and_who_held_a_paused_one_last(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    net.start(net.vip(4, 5), net.vip(5, 4, name="w", address="10.1.1.8"))
    net.run(2)
    assert held_last(a.plan, memory(a.elector.node)) == [], "nothing is paused, so nobody needs to know"
    paused = Plan(0, (net.vip(4, 5, policy=Policy(paused=True)), net.vip(5, 4, name="w", address="10.1.1.8")))
    for machine in (a, b):
        machine.step(ev.PlanChanged(paused))
    net.run(1)
    assert held_last(paused, memory(a.elector.node)) == [ev.HeldLast(("10.1.1.7",))]
    assert held_last(paused, memory(b.elector.node)) == []


def test_what_is_adopted_has_the_term_it_had(net: Net) -> None:
    a = net.machine("a", 4)
    net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(2)
    (adopted,) = adoptable(a.plan, [Held("10.1.1.7", "eth1", 0.5, 9.0)], memory(a.elector.node))
    assert adopted == ev.HeldAtStart(("10.1.1.7",), "eth1", 9.0, a.vip().term)
    assert adopted.term > 0
