"""One world from one seed: nodes, a LAN, clients and a judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec

from vipa.election.elector import Config, Elector
from vipa.heartbeat import Key
from vipa.plan import Endpoint, FailbackPolicy, Plan, PlannedVip, Policy
from vipa.timing import Timing
from vipa_sim.delays import Delays
from vipa_sim.engine import Engine
from vipa_sim.judge import Judge
from vipa_sim.lan import Frame, Lan, Port
from vipa_sim.machine import CHECK, Machine, Nic
from vipa_sim.process import Core, Identity
from vipa_sim.stations import Client, Observer, Station
from vipa_sim.trace import Trace

MakeCore = Callable[[Identity], Core]
GATEWAY = "10.1.1.1"
RIVALS = "rivals"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a world is made of. ``nics``: one number of NICs per node; ``rivals``: the same for the nodes of another
    cluster on the LAN that plans the same virtual IPs. ``keyed``: heartbeats are signed.
    ``by_address``: each node's plan knows the others' endpoints by address alone, as in a standalone folder.
    ``checked``: VIPs have a health check. ``everywhere``: they are bound on every candidate. ``guests``: they belong to
    a guest behind a bridge of the first node, and nodes proxy for it: what is bound is what is proxied."""

    nics: tuple[int, ...] = (1, 1, 1)
    rivals: tuple[int, ...] = ()
    vips: int = 1
    timing: Timing = Timing.DEFAULT
    failback: FailbackPolicy = FailbackPolicy.DELAYED
    failback_delay_s: float = 30.0
    gateway: bool = True
    neighbours: int = 1
    observer: bool = False
    keyed: bool = False
    by_address: bool = False
    strict_arp: bool = False
    stalls_per_s: float = 0.3
    slow_commits: float = 0.1
    checked: bool = False
    everywhere: bool = False
    guests: bool = False


def world_keys(keyed: bool) -> tuple[Key, ...]:
    """What the nodes sign with."""
    return (Key(1, b"a key for the simulated nodes"),) if keyed else ()


def real_cores(keyed: bool = False, count_from_suspicion: bool = False) -> MakeCore:
    """Makes the project's own election core; ``count_from_suspicion`` is the rank delay's wrong variant."""
    keys = world_keys(keyed)

    def make(identity: Identity) -> Core:
        config = Config(
            identity.node,
            identity.incarnation,
            identity.boot_id,
            keys=keys,
            cluster=identity.cluster,
            insecure=not keyed,
            count_from_suspicion=count_from_suspicion,
        )
        return Elector(config)

    return make


class World:
    """Everything of one run. Nothing happens before :meth:`run`."""

    def __init__(self, seed: int, shape: Shape, make_core: MakeCore) -> None:
        self.seed, self.shape, self.make_core = seed, shape, make_core
        self.rng = Random(seed)
        self.engine = Engine()
        self.trace = Trace(self.engine)
        self.lan = Lan(self.engine, self.rng)
        self.judge = Judge(self)
        self.last_fault = "start"
        self.last_move_s = 0.0
        self.strangers: dict[str, Station] = {}
        self.storming = False
        self.guest_at = "n1" if shape.guests else ""
        self.machines = {f"n{i + 1}": self._machine(f"n{i + 1}", i, count) for i, count in enumerate(shape.nics)}
        for i, count in enumerate(shape.rivals):
            self.machines[f"r{i + 1}"] = self._machine(f"r{i + 1}", len(shape.nics) + i, count, RIVALS)
        self.addresses = [f"10.1.1.{200 + i}" for i in range(shape.vips)]
        self.plan = self.make_plan(0)
        for cluster, plan in (("", self.plan), (RIVALS, self.make_plan(0, cluster=RIVALS))):
            for machine in self.nodes_of(cluster):
                machine.plan = self.plan_for(machine, plan)
        self.stations = self._stations()
        self.clients = [self._client(i, address) for i, address in enumerate(self.addresses)]
        self.observer = self._observer() if shape.observer else None

    # Making

    def _machine(self, name: str, index: int, nics: int, cluster: str = "") -> Machine:
        machine = Machine(self, name, Delays(self.rng, self.shape.stalls_per_s, self.shape.slow_commits), cluster)
        for number in range(nics):
            self.add_nic(machine, f"eth{number + 1}", f"10.1.1.{10 * (index + 1) + number}")
        return machine

    def add_nic(self, machine: Machine, name: str, address: str) -> Nic:
        """Give ``machine`` an interface with a fresh MAC."""

        def receive(frame: Frame) -> None:
            machine.receive(nic, frame)

        port = self.lan.plug(Port(f"{machine.name}/{name}", self._mac(), receive))
        nic = Nic(name, address, self.lan, port, (GATEWAY,) if self.shape.gateway else ())
        machine.nics[name] = nic
        return nic

    def _mac(self) -> str:
        return "52:54:" + ":".join(f"{self.rng.getrandbits(8):02x}" for _ in range(4))

    def _stations(self) -> list[Station]:
        found = [Station(self.engine, self.lan, GATEWAY, self._mac())] if self.shape.gateway else []
        addresses = [f"10.1.1.{150 + number}" for number in range(self.shape.neighbours)]
        return found + [Station(self.engine, self.lan, address, self._mac()) for address in addresses]

    def _client(self, index: int, vip: str) -> Client:
        return Client(self.engine, self.lan, f"10.1.1.{160 + index}", self._mac(), vip, self.served)

    def _observer(self) -> Observer:
        return Observer(self.engine, self.lan, "10.1.1.180", self._mac(), self.addresses[0])

    def nodes_of(self, cluster: str) -> list[Machine]:
        """The nodes of the one cluster ("") or of the other."""
        return [machine for machine in self.machines.values() if machine.cluster == cluster]

    def make_plan(self, epoch: int, order: Random | None = None, cluster: str = "") -> Plan:
        """All endpoints node by node, as numbered; shuffled per VIP when ``order`` is given."""
        vips = []
        policy = Policy(self.shape.timing, self.shape.failback, self.shape.failback_delay_s)
        for number, address in enumerate(self.addresses):
            ends = [Endpoint(n.address, m.name, n.name) for m in self.nodes_of(cluster) for n in m.nics.values()]
            if order is not None:
                order.shuffle(ends)
            checks = (CHECK,) if self.shape.checked else ()
            bridge = "br0" if self.shape.guests else ""
            everywhere = self.shape.everywhere
            vips.append(PlannedVip(f"vip{number + 1}", (address,), tuple(ends), policy, checks, everywhere, bridge))
        return Plan(epoch, tuple(vips))

    def plan_for(self, machine: Machine, plan: Plan) -> Plan:
        """The plan as ``machine`` knows it."""
        if not self.shape.by_address:
            return plan
        vips = tuple(
            msgspec.structs.replace(
                vip,
                succession=tuple(e if e.node == machine.name else Endpoint(e.address) for e in vip.succession),
            )
            for vip in plan.vips
        )
        return Plan(plan.epoch, vips)

    # Running

    def start_stations(self) -> None:
        """Neighbours, clients and the observer begin, each at its own moment."""
        for station in self.stations:
            if station.address != GATEWAY:
                about = GATEWAY if self.shape.gateway else self.clients[0].address
                self.engine.after(self.rng.random(), station.chatter, self.rng, about)
        for client in self.clients:
            self.engine.after(self.rng.random() * client.period_s, client.tick)
        if self.observer is not None:
            self.engine.after(self.rng.random() * self.observer.period_s, self.observer.tick)

    def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.engine.run_until(self.engine.now + seconds)

    def moved(self) -> None:
        """Some node did something about a VIP just now."""
        self.last_move_s = self.engine.now

    def served(self, client: Port, mac: str, vip: str) -> bool:
        """Would a datagram from ``client`` to ``mac`` for ``vip`` be answered? Loss aside: a burst is no outage."""
        for machine in self.machines.values():
            if not machine.powered or self.guest_at not in ("", machine.name):
                continue
            for nic in machine.nics.values():
                if nic.port.mac != mac:
                    continue
                if not self.lan.reaches(client, nic.port) or not machine.kernel.bound.get(vip):
                    return False
                back = machine.nics.get(machine.kernel.reply_by.get(vip, nic.name))
                return back is not None and self.lan.reaches(back.port, client)
        return False

    def holder(self, vip: str) -> tuple[str, Nic] | None:
        """The one (node, NIC) that answers for the address ``vip``, or None when there is none or more than one."""
        found = [pair for part in self.judge.answering(vip).values() for pair in part]
        return found[0] if len(found) == 1 else None

    def unsettled(self) -> list[str]:
        """Why the world is not at rest: no or several holders, leftovers on others, a client that is wrong. Of two
        clusters each may have a holder: neither knows of the other's (rule 10)."""
        wrong = []
        for client in self.clients:
            vip = client.vip
            found = [pair for part in self.judge.answering(vip).values() for pair in part]
            clusters = [self.machines[node].cluster for node, _ in found]
            if not found or len(set(clusters)) < len(clusters):
                who = ", ".join(f"{node}/{nic.name}" for node, nic in found) or "nobody"
                wrong.append(f"{vip}: answered by {who} instead of one endpoint")
                continue
            if client.cached_mac not in [nic.port.mac for _, nic in found]:
                who = " and ".join(f"{node}/{nic.name}" for node, nic in found)
                wrong.append(f"{vip}: {who} holds it, but the client sends to {client.cached_mac or '?'}")
            for name, machine in self.machines.items():
                bound = machine.powered and machine.process is not None and machine.kernel.bound.get(vip)
                if bound and not self.shape.everywhere and name not in [node for node, _ in found]:
                    wrong.append(f"{vip}: still bound on {name} while {' and '.join(n for n, _ in found)} holds it")
                if self.shape.everywhere and machine.alert and (bound or frozenset()) != machine.candidates(vip):
                    wrong.append(f"{vip}: {name} is to have it on all adapters of its plan, not on {bound or 'none'}")
        return wrong
