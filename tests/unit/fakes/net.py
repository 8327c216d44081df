"""``Net``: the clock and a lossless wire; it makes machines and puppets, and remembers what everybody did."""

import heapq
from collections.abc import Callable
from functools import partial
from itertools import combinations, count

from unit.fakes.machine import Logged, Machine
from unit.fakes.names import VIP, ip, mac_of
from unit.fakes.puppet import Puppet
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.states import State
from vipa.plan import Endpoint, Plan, PlannedVip, Policy
from vipa.reasons import Reason

WIRE_S = 0.0002
Passes = Callable[[str, str, ev.Event], bool]
Watch = Callable[[Machine, ev.Event, list[act.Action]], None]


class Net:
    """Clock, wire and everybody on it. ``cuts``: directed (from, to) pairs of addresses, "*" for any; ``passes`` may
    judge each frame instead. ``stations``: address → MAC of those who answer ARP for it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.log: list[Logged] = []
        self.doubles: list[tuple[float, list[str]]] = []
        self.machines: dict[str, Machine] = {}
        self.puppets: dict[str, Puppet] = {}
        self.stations: dict[str, str] = {ip(254): mac_of(ip(254))}
        self.cuts: set[tuple[str, str]] = set()
        self.passes: Passes = lambda source, target, event: True
        self.watch: Watch = lambda machine, event, actions: None
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    # --- making

    def machine(self, name: str, *lasts: int, insecure: bool = False) -> "Machine":
        """A node with eth1, eth2, ... at 10.1.1.<last>."""
        self.machines[name] = Machine(self, name, lasts, insecure)
        return self.machines[name]

    def puppet(self, name: str, last: int) -> "Puppet":
        """A scripted node with one endpoint; silent until its ``role`` is set or ``speaks`` is."""
        self.puppets[name] = Puppet(self, name, ip(last))
        return self.puppets[name]

    def vip(self, *lasts: int, name: str = "v", address: str = VIP, policy: Policy | None = None) -> PlannedVip:
        """A VIP with these candidates in order; nodes must have been made before."""
        return PlannedVip(name, (address,), tuple(self._endpoint(ip(last)) for last in lasts), policy or Policy())

    def _endpoint(self, address: str) -> Endpoint:
        for machine in self.machines.values():
            for interface in machine.nics.values():
                if interface.addresses[0].startswith(f"{address}/"):
                    return Endpoint(address, machine.name, interface.name)
        return Endpoint(address)

    def start(self, *vips: PlannedVip, epoch: int = 0) -> None:
        """Every machine starts with this plan."""
        for machine in self.machines.values():
            machine.start(Plan(epoch, vips))

    # --- running

    def at(self, time: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._heap, (max(time, self.now), next(self._number), call))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            self.now, _, call = heapq.heappop(self._heap)
            call()
            self._judge()
        self.now = end

    def until(self, done: Callable[[], bool], within: float) -> float:
        """Run until ``done``; returns seconds taken. Fails after ``within``."""
        begin = self.now
        while not done():
            assert self._heap, "nothing more happens"
            self.now, _, call = heapq.heappop(self._heap)
            assert self.now - begin <= within, f"not within {within} s"
            call()
            self._judge()
        return self.now - begin

    def _judge(self) -> None:
        live = [machine for machine in self.machines.values() if machine.serves()]
        for one, other in combinations(live, 2):
            if not one.elected.keys().isdisjoint(other.elected.keys()):
                for address in one.elected.keys() & other.elected.keys():
                    who = self.answerers(address)
                    if len(who) > 1:
                        self.doubles.append((self.now, who))

    def answerers(self, address: str = VIP) -> list[str]:
        """Nodes whose kernel answers for ``address`` now."""
        return [m.name for m in self.machines.values() if any(m.answers(address, nic) for nic in m.nics)]

    # --- the wire

    def carry(self, source: str, target: str, deliver: Callable[[ev.Event], None], event: ev.Event) -> None:
        cut = {(source, target), (source, "*"), ("*", target)} & self.cuts
        if not cut and self.passes(source, target, event):
            self.at(self.now + WIRE_S, lambda: deliver(event))

    def beat(self, sender: str, beat: act.SendBeat) -> None:
        source, target = beat.source_address, beat.target_address
        for machine in self.machines.values():
            for nic in machine.nics.values():
                if machine.name != sender and nic.addresses[0].startswith(f"{target}/"):
                    event = ev.BeatReceived(nic.name, source, mac_of(source), beat.payload)
                    self.carry(source, target, machine.hear, event)
        for puppet in self.puppets.values():
            if puppet.address == target:
                self.carry(source, target, puppet.hear, ev.BeatReceived("", source, mac_of(source), beat.payload))

    def arp(self, source: str, kind: ev.ArpKind, sender: str, target: str, only: str = "") -> None:
        """An ARP frame out of the NIC that owns ``source``, to everybody or to the NIC with own address ``only``."""
        for machine in self.machines.values():
            for nic in machine.nics.values():
                address = nic.addresses[0].partition("/")[0]
                if address == source or (only and address != only):
                    continue
                event = ev.ArpSeen(nic.name, kind, mac_of(source), sender, target)
                self.carry(source, address, partial(machine.arp_in, nic), event)
        for address, mac in self.stations.items():
            if kind is ev.ArpKind.REQUEST and target == address and ("*", address) not in self.cuts:
                self.at(self.now + 2 * WIRE_S, partial(self.reply, address, mac, source))

    def reply(self, address: str, mac: str, asker: str) -> None:
        """A station answers ``asker`` that it owns ``address``."""
        for machine in self.machines.values():
            for nic in machine.nics.values():
                if nic.addresses[0].startswith(f"{asker}/"):
                    event = ev.ArpSeen(nic.name, ev.ArpKind.REPLY, mac, address, asker)
                    self.carry(address, asker, machine.hear, event)

    # --- looking back

    def did(self, node: str, *kinds: type) -> list[Logged]:
        """What ``node`` did of these kinds, in order."""
        return [entry for entry in self.log if entry.node == node and isinstance(entry.action, kinds)]

    def states(self, node: str) -> list[State]:
        """States ``node`` went through."""
        return [State(e.action.new) for e in self.did(node, act.Transition) if isinstance(e.action, act.Transition)]

    def notices(self, node: str, reason: Reason) -> list[act.Notice]:
        found = [e.action for e in self.did(node, act.Notice)]
        return [n for n in found if isinstance(n, act.Notice) and n.reason is reason]
