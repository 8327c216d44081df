"""Whatever happens in whatever order: nothing raises, nobody permits without a claim, nobody says Holder in vain."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.fakes.machine import Machine
from unit.fakes.names import CLUSTER, KEY, VIP, ip, mac_of
from unit.fakes.net import Net
from unit.fakes.puppet import Puppet
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.elector import Config
from vipa.election.peers import node_id
from vipa.heartbeat import Handover, HandoverStep, Relay, WireRole, decode
from vipa.plan import FailbackPolicy, Plan, Policy
from vipa.timing import Timing

CLUSTER_ID = Config("", 0, cluster=CLUSTER).cluster_id
FOREIGN = "aa:aa:aa:aa:aa:aa"


class Watcher:
    """Checks every step of every machine."""

    def __init__(self) -> None:
        self.begun: set[tuple[str, str]] = set()
        self.seen: set[bytes] = set()

    def __call__(self, machine: Machine, event: ev.Event, actions: list[act.Action]) -> None:
        revoked: set[str] = set()
        for action in actions:
            match action:
                case act.BeginClaim(vip):
                    self.begun.add((machine.name, vip))
                case act.Permit(vip):
                    assert event == ev.ClaimReady(vip, True), f"Permit after {event}"
                    assert (machine.name, vip) in self.begun
                    self.begun.discard((machine.name, vip))
                case act.Revoke(vip):
                    revoked.add(vip)
                case act.SendBeat() if action.payload not in self.seen:
                    self.seen.add(action.payload)
                    self.holder_only_while_permitted(machine, action.payload, revoked)

    def holder_only_while_permitted(self, machine: Machine, payload: bytes, revoked: set[str]) -> None:
        vips = machine.elector.node.by_id
        for entry in decode(payload, [KEY], {CLUSTER_ID}).roles:
            if entry.role is WireRole.HOLDER:
                vip = vips[entry.vip]
                assert vip.name not in revoked
                assert any(machine.answers(vip.plan.addresses[0], nic) for nic in machine.nics)


def plans(net: Net) -> list[Plan]:
    """Plans that nodes may be given, each at any time."""
    at_once, fast = Policy(failback=FailbackPolicy.IMMEDIATE), Policy(Timing.FAST, failback_delay_s=1.0)
    return [
        Plan(0, (net.vip(4, 5, 6, 9),)),
        Plan(1, (net.vip(6, 4, 9, 5, policy=at_once),)),
        Plan(2, (net.vip(5, 4, 6, policy=fast), net.vip(9, 6, 4, name="w", address="10.1.1.8"))),
        Plan(3, (net.vip(4, 5, policy=Policy(paused=True)),)),
        Plan(4, ()),
        Plan(5, (msgspec.structs.replace(net.vip(4, 5, 6, 9), everywhere=True),)),
    ]


machines, nics, flags = st.sampled_from("ab"), st.sampled_from(["eth1", "eth2"]), st.booleans()
addresses = st.sampled_from([ip(4), ip(5), ip(6), ip(9), "*"])
steps = st.one_of(
    st.tuples(st.just("run"), st.sampled_from([0.001, 0.004, 0.03, 0.07, 0.2, 0.7])),
    st.tuples(st.just("carrier"), machines, nics, flags),
    st.tuples(st.just("gone"), machines, nics),
    st.tuples(st.just("freeze"), machines),
    st.tuples(st.just("thaw"), machines),
    st.tuples(st.just("restart"), machines, flags),
    st.tuples(st.just("power"), machines),
    st.tuples(st.just("plan"), machines, st.integers(0, 5)),
    st.tuples(st.just("stop"), machines),
    st.tuples(st.just("cut"), addresses, addresses),
    st.tuples(st.just("heal")),
    st.tuples(st.just("foreign"), flags),
    st.tuples(st.just("rival"), machines, nics, st.sampled_from([FOREIGN, mac_of(ip(9)), mac_of(ip(4))])),
    st.tuples(st.just("role"), st.sampled_from(WireRole), st.integers(0, 5)),
    st.tuples(st.just("puppet"), st.sampled_from(["deaf", "isolated", "healthy", "speaks"]), flags),
    st.tuples(st.just("relay"), st.integers(0, 3), st.sampled_from([0.001, 0.1])),
    st.tuples(st.just("message"), machines, st.sampled_from(HandoverStep), st.integers(1, 4), st.integers(0, 2)),
    st.tuples(st.just("replay"), st.integers(0, 50)),
)


class Play:
    """Carries out drawn steps on two machines and a puppet."""

    def __init__(self) -> None:
        self.net = Net()
        self.net.watch = Watcher()
        self.a, self.b = self.net.machine("a", 4, 5), self.net.machine("b", 6)
        self.puppet: Puppet = self.net.puppet("p", 9)
        self.plans = plans(self.net)
        for machine in (self.a, self.b):
            machine.start(self.plans[0])
        self.puppet.speak()

    def step(self, name: str, *arguments: object) -> None:
        call: Callable[..., None] = getattr(self, name)
        call(*arguments)

    def ready(self, name: str) -> Machine | None:
        """The machine, unless its process cannot take an event now."""
        machine = self.net.machines[name]
        return machine if machine.on and not machine.frozen and not machine.stopped else None

    def run(self, seconds: float) -> None:
        self.net.run(seconds)

    def carrier(self, name: str, nic: str, carrier: bool) -> None:
        machine = self.ready(name)
        if machine and nic in machine.nics:
            machine.interface(nic, carrier)

    def gone(self, name: str, nic: str) -> None:
        machine = self.ready(name)
        if machine and nic in machine.nics:
            machine.interface(nic, gone=True)

    def freeze(self, name: str) -> None:
        self.net.machines[name].frozen = True

    def thaw(self, name: str) -> None:
        machine = self.net.machines[name]
        if machine.on and machine.frozen:
            machine.thaw()

    def restart(self, name: str, adopt: bool) -> None:
        machine = self.net.machines[name]
        machine.on, machine.stopped = True, False
        machine.restart(adopt)

    def power(self, name: str) -> None:
        machine = self.net.machines[name]
        machine.on = False
        machine.elected, machine.alive, machine.claims = {}, {}, {}

    def plan(self, name: str, index: int) -> None:
        machine = self.ready(name)
        if machine:
            machine.plan = self.plans[index]
            machine.step(ev.PlanChanged(machine.plan))

    def stop(self, name: str) -> None:
        machine = self.ready(name)
        if machine:
            machine.step(ev.StopAsked())

    def cut(self, source: str, target: str) -> None:
        self.net.cuts.add((source, target))

    def heal(self) -> None:
        self.net.cuts.clear()

    def foreign(self, on: bool) -> None:
        self.net.stations.pop(VIP, None)
        if on:
            self.net.stations[VIP] = FOREIGN

    def rival(self, name: str, nic: str, mac: str) -> None:
        machine = self.ready(name)
        if machine and nic in machine.nics:
            machine.step(ev.ArpSeen(nic, ev.ArpKind.REPLY, mac, VIP, VIP))

    def role(self, role: WireRole, term: int) -> None:
        self.puppet.role, self.puppet.term = role, term

    def puppet_(self, field: str, value: bool) -> None:
        if field == "speaks" and value:
            self.puppet.speak()
        else:
            setattr(self.puppet, field, value)

    def relay(self, epoch: int, age_s: float) -> None:
        vip = self.plans[0].vips[0]
        self.puppet.relays = (Relay(vip.id, node_id("x"), epoch, 0, False, age_s),)

    def message(self, to: str, step: HandoverStep, term: int, epoch: int) -> None:
        vip = self.plans[0].vips[0]
        self.puppet.handover = Handover(vip.id, node_id(to), step, term, epoch)

    def replay(self, number: int) -> None:
        if self.puppet.said:
            self.puppet.send(self.puppet.said[number % len(self.puppet.said)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=4, max_size=25))
def test_any_sequence(drawn: list[tuple[object, ...]]) -> None:
    play = Play()
    for name, *arguments in drawn:
        play.step("puppet_" if name == "puppet" else str(name), *arguments)
    play.run(0.3)
