"""A node: NICs, one kernel per boot, a clock of its own, and the agent process on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vipa.election.events import ArpKind, ChecksChanged, GuestsChanged, LocalInterface, PlanChanged
from vipa.plan import CheckKind, HealthCheck, Plan
from vipa.reasons import Reason
from vipa.timing import PROFILES
from vipa_sim.delays import EVENT_LATE_S, EVENT_S, POLL_S, Delays
from vipa_sim.engine import Clock
from vipa_sim.kernel import Kernel
from vipa_sim.lan import Arp, Frame, Lan, Port
from vipa_sim.process import Identity, Process

if TYPE_CHECKING:
    from vipa_sim.world import World

PREFIX = 24
NETWORK = "10.1.1.0/24"
CHECK = HealthCheck(CheckKind.TCP, 443)
GUEST_FOUND_S = 1.0  # until a new agent's question to the guest is answered, at most: the asker's period


@dataclass(slots=True, eq=False)
class Nic:
    """One network interface of a node and the switch port it is plugged into."""

    name: str
    address: str
    lan: Lan
    port: Port
    gateways: tuple[str, ...] = ()


@dataclass(slots=True)
class Saved:
    """What the agent keeps in its state directory: terms by address, permits it renewed last."""

    terms: dict[str, int] = field(default_factory=dict)
    permits: dict[str, float] = field(default_factory=dict)


class Machine:
    """One node of the world, of the one cluster ("") or of another; off until :meth:`boot`."""

    def __init__(self, world: World, name: str, delays: Delays, cluster: str = "") -> None:
        self.world, self.name, self.delays, self.cluster = world, name, delays, cluster
        self.nics: dict[str, Nic] = {}
        self.plan = Plan()
        self.saved = Saved()
        self.powered = False
        self.process: Process | None = None
        self.boot_id = 0
        self.kernel = Kernel(strict_arp=False)
        self.clock = Clock(0.0, 0.0, 1.0)
        self.passes = True
        self.guest = world.shape.guests and name == "n1"
        self.ambush: dict[str, Callable[[], None]] = {}
        self.told_of_links = True
        self.moved_late_s = float("-inf")
        self._link_event_s = -EVENT_LATE_S

    # Life

    def boot(self) -> None:
        """Power on: a new kernel with nothing in it, a clock that starts anew, no agent yet."""
        rng = self.delays.rng
        self.boot_id = rng.getrandbits(64)
        self.kernel = Kernel(strict_arp=self.world.shape.strict_arp)
        rate = 1.0 + rng.uniform(-200e-6, 200e-6)  # crystal clocks stay within ±100 ppm; twice that for margin
        self.clock = Clock(self.world.engine.now, rng.uniform(5.0, 1e6), rate)
        self.saved = Saved(terms=self.saved.terms)
        self.powered = True
        self.world.trace.note(self.name, "boots")
        self.world.judge.look("link")

    def power_off(self) -> None:
        """Everything stops at once."""
        self.powered = False
        self.kill()
        self.world.trace.note(self.name, "POWER OFF")
        self.world.judge.look("link")

    @property
    def alert(self) -> bool:
        """An agent runs here and is not frozen."""
        return self.process is not None and not self.process.frozen

    def start_agent(self) -> None:
        """Start the agent; nothing happens when the node is off or an agent already runs."""
        if not self.powered or self.process is not None:
            return
        identity = Identity(self.name, self.delays.rng.getrandbits(63) + 1, self.boot_id, self.cluster)
        self.world.trace.note(self.name, "agent starts")
        self.process = Process(self, self.world.make_core(identity))
        self.process.start()
        self.check(self.passes)
        if self.world.shape.guests:
            found_s = self.delays.rng.uniform(0.0, GUEST_FOUND_S)
            self.world.engine.after(found_s, lambda: self.know_guest(self.guest))

    def check(self, passes: bool) -> None:
        """What the health check of the VIPs says here from now on; a loop's turn later the agent knows."""
        self.passes = passes
        if self.process is not None and self.world.shape.checked:
            asked = frozenset({(NETWORK, CHECK)})
            self.process.tell(
                ChecksChanged(passing=asked) if passes else ChecksChanged(dict.fromkeys(asked, "refused"))
            )

    def know_guest(self, here: bool) -> None:
        """What the agent has found out of the guest from now on: it answers behind this node's bridge, or does not."""
        self.guest = here
        if self.process is not None and self.world.shape.guests:
            addresses = self.world.addresses
            silent = dict.fromkeys(addresses, (Reason.GUEST_SILENT, "does not answer behind br0"))
            self.process.tell(GuestsChanged(frozenset(addresses)) if here else GuestsChanged(absent=silent))

    def kill(self) -> None:
        """SIGKILL the agent."""
        if self.process is not None:
            self.world.trace.note(self.name, "agent killed")
            self.process.kill()
            self.process = None

    def ended(self, process: Process) -> None:
        """The agent has shut down."""
        process.kill()
        if self.process is process:
            self.world.trace.note(self.name, "agent ends")
            self.process = None

    def runs(self, kernel: Kernel) -> bool:
        """True while ``kernel`` is the one of this boot."""
        return self.powered and kernel is self.kernel

    def give_plan(self, plan: Plan) -> None:
        """The plan file of this node changes."""
        self.plan = plan
        if self.process is not None:
            self.process.tell(PlanChanged(plan))

    def ambushed(self, action: str, delay_s: float) -> None:
        """A fault waits for this kind of transaction: let it strike while the transaction is under way."""
        strike = self.ambush.pop(action, None)
        if strike is not None:
            self.world.engine.after(delay_s * 2.0 * self.delays.rng.random(), strike)

    # Interfaces

    def interfaces(self) -> tuple[LocalInterface, ...]:
        """What the kernel says of the interfaces now."""
        return tuple(
            LocalInterface(nic.name, nic.port.mac, (f"{nic.address}/{PREFIX}",), True, nic.port.carrier, nic.gateways)
            for nic in self.nics.values()
        )

    def link_changed(self, polled: bool = True) -> None:
        """The kernel tells of a link change at once or late, or not at all; the poll finds it anyway, and what is no
        change of a known interface (``polled`` False) the audit."""
        engine, rng = self.world.engine, self.delays.rng
        if self.told_of_links:
            late = engine.now - self._link_event_s < EVENT_LATE_S
            self._link_event_s = engine.now
            engine.after(rng.uniform(EVENT_S, EVENT_LATE_S) if late else EVENT_S, self._tell_links, self.process)
        if polled:
            engine.after(POLL_S * rng.random(), self._tell_links, self.process)

    def address_removed(self) -> None:
        """The kernel tells that a bound address is gone, unless its news get lost."""
        if self.told_of_links:
            self.world.engine.after(EVENT_S, self._tell_links, self.process)

    def _tell_links(self, process: Process | None) -> None:
        if process is not None and process is self.process:
            process.tell(None)

    def candidates(self, address: str) -> frozenset[str]:
        """Own interfaces that may serve a virtual IP, by this node's plan."""
        named = {e.address for vip in self.plan.vips if address in vip.addresses for e in vip.succession}
        return frozenset(nic.name for nic in self.nics.values() if nic.address in named)

    def owns_mac(self, mac: str) -> bool:
        """True for the MAC of one of the own interfaces."""
        return any(nic.port.mac == mac for nic in self.nics.values())

    # Kernel

    def moved(self, asked_s: float, ok: bool) -> None:
        """An in-node move that was asked for at ``asked_s`` is done: too late when others may have claimed by now."""
        if ok and self.world.engine.now - asked_s > PROFILES[self.world.shape.timing].silence_s:
            self.moved_late_s = self.world.engine.now

    def permit_set(self, interface: str, ok: bool) -> bool:
        """A permit was set (or not): the judge looks again when it ends."""
        until = self.kernel.alive.get(interface)
        if ok and until is not None:
            self.world.engine.at(until, self._permit_ends, self.kernel, interface)
        return ok

    def _permit_ends(self, kernel: Kernel, interface: str) -> None:
        if self.runs(kernel) and 0.0 < kernel.alive.get(interface, 0.0) <= self.world.engine.now:
            self.world.judge.look("kernel")

    def receive(self, nic: Nic, frame: Frame) -> None:
        """A frame reached ``nic``: the kernel answers if the gate lets it, and the agent's socket gets a copy."""
        if not self.powered or self.nics.get(nic.name) is not nic:
            return
        if isinstance(frame, Arp) and frame.kind is ArpKind.REQUEST:
            self._answer(nic, frame)
        if self.process is not None:
            self.process.hear(nic, frame)

    def _answer(self, nic: Nic, frame: Arp) -> None:
        asked, now = frame.target_address, self.world.engine.now
        if any(own.address == frame.sender_address for own in self.nics.values()):
            return  # Linux drops requests whose source is one of its own addresses (fib_validate_source)
        if frame.sender_address == asked:
            return  # an announcement asks nothing
        if asked == nic.address or self.kernel.answers(asked, nic.name, now):
            reply = Arp(ArpKind.REPLY, nic.port.mac, asked, frame.sender_address)
            nic.lan.send(nic.port, frame.sender_mac, reply)
