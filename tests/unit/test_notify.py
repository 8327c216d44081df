"""Which events notify hooks are told of: what a life of elections makes of them."""

from typing import Any

from unit.fakes.machine import Machine
from unit.fakes.names import VIP
from unit.fakes.net import Net
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.plan import Plan
from vipa_agent.notify import Notifier


class Teller:
    """Tells of one machine as its agent would: transitions at once, and a look every now and then."""

    def __init__(self, net: Net, machine: Machine) -> None:
        self.told: list[dict[str, Any]] = []
        self.notifier = Notifier(machine.elector.node, self.told.append)
        before = net.watch

        def watch(of: Machine, event: ev.Event, actions: list[act.Action]) -> None:
            before(of, event, actions)
            for action in actions if of is machine else ():
                if isinstance(action, act.Transition | act.Notice):
                    self.notifier.happened(action)

        net.watch = watch

    def new(self) -> list[tuple[str, str, str]]:
        """(from, to, reason) since asked last."""
        self.notifier.look()
        found = [(e["from"], e["to"], str(e["reason"])) for e in self.told]
        self.told.clear()
        return found


def test_a_takeover_a_failed_adapter_and_the_end(net: Net) -> None:
    a, b = net.machine("a", 4), net.machine("b", 5)
    tell_a, tell_b = Teller(net, a), Teller(net, b)
    net.start(net.vip(4, 5))
    net.run(2)
    assert tell_a.new() == [("Idle", "Spare", "Listening"), ("Spare", "Holder", "HolderSilent")]
    assert tell_b.new() == [("Idle", "Spare", "Listening")]
    a.on = False
    net.run(1)
    assert tell_b.new() == [("Spare", "Holder", "HolderSilent")]
    b.interface("eth1", carrier=False)
    net.run(1)
    assert tell_b.new() == [("Holder", "Excluded", "LinkDown")]
    b.interface("eth1")
    net.run(1)
    assert [to for _, to, _ in tell_b.new()] == ["Spare", "Holder"]
    tell_b.notifier.stopped()
    assert tell_b.new() == [("Holder", "Idle", "Shutdown")]


def test_an_event_has_all_that_hooks_are_promised(net: Net) -> None:
    a = net.machine("a", 4, 5)
    net.machine("b", 6)
    teller = Teller(net, a)
    net.start(net.vip(4, 5, 6))
    net.run(2)
    event = teller.told[-1]
    assert event | {"time": "", "term": 0} == {
        "time": "",
        "node": "a",
        "vip": "v",
        "addresses": (VIP,),
        "from": "Spare",
        "to": "Holder",
        "fromInterface": "",
        "interface": "eth1",
        "reason": "HolderSilent",
        "term": 0,
        "place": 1,
    }
    assert event["time"].endswith("Z")
    assert event["term"] == a.vip().term
    teller.told.clear()
    a.interface("eth1", carrier=False)
    net.run(1)
    (moved,) = teller.told
    assert (moved["from"], moved["to"], moved["fromInterface"], moved["interface"], moved["place"]) == (
        "Holder",
        "Holder",
        "eth1",
        "eth2",
        2,
    )


def test_an_agent_that_adopts_was_never_a_spare(net: Net) -> None:
    a = net.machine("a", 4)
    net.machine("b", 5)
    net.start(net.vip(4, 5))
    net.run(2)
    a.elector, a.renewing = a._new(), ()
    teller = Teller(net, a)
    a.start(a.plan, adopt=True)
    assert teller.new() == [("Idle", "Holder", "Adopted")]


def test_a_spare_that_loses_its_adapter_is_told_though_nothing_moves(net: Net) -> None:
    net.machine("a", 4)
    b = net.machine("b", 5)
    teller = Teller(net, b)
    net.start(net.vip(4, 5))
    net.run(2)
    teller.new()
    b.interface("eth1", carrier=False)
    net.run(1)
    assert teller.new() == [("Spare", "Excluded", "LinkDown")]
    b.interface("eth1")
    net.run(1)
    assert [(was, to) for was, to, _ in teller.new()] == [("Excluded", "Spare")]


def test_what_leaves_the_plan_is_deleted_and_what_is_renamed_is_told_under_both_names(net: Net) -> None:
    a = net.machine("a", 4)
    net.machine("b", 5)
    teller = Teller(net, a)
    net.start(net.vip(4, 5))
    net.run(2)
    teller.new()
    a.step(ev.PlanChanged(Plan(0, (net.vip(4, 5, name="w"),))))
    teller.notifier.look()
    assert [(e["vip"], e["to"]) for e in teller.told] == [("w", "Holder"), ("v", "Idle")]
    teller.told.clear()
    a.step(ev.PlanChanged(Plan(0, ())))
    teller.notifier.look()
    assert [(e["vip"], e["from"], e["to"], str(e["reason"])) for e in teller.told] == [
        ("w", "Holder", "Idle", "PlanRemoved")
    ]


def test_a_claim_that_comes_to_nothing_is_no_news(net: Net) -> None:
    b, p = net.machine("b", 5), net.puppet("p", 4)
    net.start(net.vip(4, 5))
    p.speak()
    net.stations[VIP] = "52:54:00:00:00:99"
    teller = Teller(net, b)
    net.run(3)
    assert State.SUSPECTING in net.states("b")
    assert teller.new() == [("Idle", "Spare", "Listening")]


def test_without_hooks_nothing_is_remembered(net: Net) -> None:
    a = net.machine("a", 4)
    notifier = Notifier(a.elector.node, None)
    net.start(net.vip(4))
    net.run(1)
    notifier.look()
    notifier.stopped()
