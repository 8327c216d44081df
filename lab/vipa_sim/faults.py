"""Faults by name: each method strikes or mends one thing, leaves a trace line and lets the judge look."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from vipa_sim.stations import Station

if TYPE_CHECKING:
    from vipa_sim.lan import Port
    from vipa_sim.machine import Machine
    from vipa_sim.world import World

AGENT_START_S = 0.3  # from the kernel's start (or the process's death) to the agent's first step
STORM_STALLS_PER_S = 8.0  # half of the time held up: 8 × (5…60 ms)


class Faults:
    """What can be done to ``world``. Nodes and interfaces are named as in the trace: ``n1``, ``eth1``."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _note(self, what: str) -> None:
        self._world.last_fault = what
        self._world.trace.note("fault", what)

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Do something ``delay_s`` from now."""
        self._world.engine.after(delay_s, call)

    def _machine(self, node: str) -> Machine:
        return self._world.machines[node]

    def _port(self, node: str, nic: str) -> Port | None:
        found = self._machine(node).nics.get(nic)
        return found.port if found else None

    # Nodes

    def start(self, node: str, agent_after_s: float = AGENT_START_S) -> None:
        """Power on; the agent starts ``agent_after_s`` later."""
        machine = self._machine(node)
        if not machine.powered:
            machine.boot()
        self._world.engine.after(agent_after_s, machine.start_agent)

    def power_off(self, node: str) -> None:
        """Everything of the node is gone at once, without a farewell."""
        self._note(f"power-off {node}")
        self._machine(node).power_off()

    # Agents

    def kill(self, node: str, back_after_s: float | None = None) -> None:
        """SIGKILL the agent; it is started again ``back_after_s`` later unless None."""
        self._note(f"kill {node}")
        self._machine(node).kill()
        if back_after_s is not None:
            self._world.engine.after(back_after_s, self._machine(node).start_agent)

    def freeze(self, node: str) -> None:
        """SIGSTOP the agent."""
        process = self._machine(node).process
        if process is not None:
            self._note(f"freeze {node}")
            process.freeze()

    def thaw(self, node: str) -> None:
        """SIGCONT the agent."""
        process = self._machine(node).process
        if process is not None and process.frozen:
            self._note(f"thaw {node}")
            process.thaw()

    def stop(self, node: str) -> None:
        """SIGTERM: ask the agent to shut down."""
        from vipa.election.events import StopAsked

        process = self._machine(node).process
        if process is not None:
            self._note(f"stop {node}")
            process.tell(StopAsked())

    def health(self, node: str, passes: bool) -> None:
        """The program behind the VIPs on this node: its health check fails, or passes again."""
        machine = self._machine(node)
        if machine.passes != passes:
            self._note(f"health check {'passes' if passes else 'fails'} {node}")
            machine.check(passes)

    def storm(self, node: str, on: bool = True) -> None:
        """The event loop is held up again and again."""
        self._note(f"storm {'on' if on else 'off'} {node}")
        self._machine(node).delays.stalls_per_s = STORM_STALLS_PER_S if on else self._world.shape.stalls_per_s

    # Links

    def carrier(self, node: str, nic: str, up: bool) -> None:
        """The cable: the kernel knows of it."""
        port = self._port(node, nic)
        if port is None or port.carrier == up:
            return
        self._note(f"carrier {'up' if up else 'down'} {node}/{nic}")
        port.carrier = up
        self._machine(node).link_changed()
        self._world.judge.look("link")

    def path(self, node: str, nic: str, *, blocked: bool = False, deaf: bool = False, mute: bool = False) -> None:
        """The switch port behind a link that stays up: nothing passes, nothing reaches the node, nothing leaves it."""
        port = self._port(node, nic)
        if port is None:
            return
        state = ", ".join(n for n, on in (("blocked", blocked), ("deaf", deaf), ("mute", mute)) if on) or "mended"
        self._note(f"path {state} {node}/{nic}")
        port.blocked, port.deaf, port.mute = blocked, deaf, mute
        self._world.judge.look("link")

    def recreate(self, node: str, nic: str, back_after_s: float) -> None:
        """The interface is deleted, and made again with another MAC ``back_after_s`` later."""
        machine = self._machine(node)
        found = machine.nics.pop(nic, None)
        if found is None:
            return
        self._note(f"delete {node}/{nic}")
        self._world.lan.unplug(found.port)
        machine.kernel.forget_interface(nic)
        machine.link_changed()
        self._world.judge.look("link")
        self._world.engine.after(back_after_s, self._create, machine, nic, found.address)

    def _create(self, machine: Machine, nic: str, address: str) -> None:
        self._note(f"create {machine.name}/{nic}")
        self._world.add_nic(machine, nic, address)
        machine.link_changed()
        self._world.judge.look("link")

    # The LAN

    def split(self, groups: Iterable[Iterable[str]]) -> None:
        """Cut the LAN: each group is a set of node names and station addresses; who is not named stays in group 0."""
        sets = [set(group) for group in groups]
        self._note("split " + " | ".join(",".join(sorted(group)) for group in sets))
        for port in self._world.lan.ports.values():
            name = port.name.split("/", 1)[0] if not port.name.startswith("station/") else port.name.split("/", 1)[1]
            port.group = next((number for number, group in enumerate(sets, 1) if name in group), 0)
        self._world.judge.look("link")

    def cut(self, one: str, other: str) -> None:
        """Two nodes no longer hear each other; everyone else hears both."""
        self._note(f"cut {one} / {other}")
        for a in self._machine(one).nics.values():
            for b in self._machine(other).nics.values():
                self._world.lan.cuts |= {(a.port.name, b.port.name), (b.port.name, a.port.name)}
        self._world.judge.look("link")

    def join(self) -> None:
        """Splits and cuts are mended."""
        self._note("join")
        self._world.lan.cuts.clear()
        for port in self._world.lan.ports.values():
            port.group = 0
        self._world.judge.look("link")

    def loss(self, share: float) -> None:
        """Every frame on the LAN is lost with this probability."""
        self._note(f"loss {share:.0%}")
        self._world.lan.loss = share

    def foreign_owner(self, vip: str) -> Station:
        """A host that has the VIP as its own address is plugged in and announces it once."""
        self._note(f"foreign owner of {vip}")
        station = Station(self._world.engine, self._world.lan, vip, "02:66:00:00:00:01")
        station.ask(vip)
        return station

    # All of it

    def mend_all(self) -> None:
        """Everything is as it was at the start, and every node and agent runs."""
        self.loss(0.0)
        self.join()
        for name, machine in self._world.machines.items():
            machine.ambush.clear()
            machine.delays.stalls_per_s = self._world.shape.stalls_per_s
            self.thaw(name)
            self.health(name, passes=True)
            for nic in tuple(machine.nics):
                self.path(name, nic)
                self.carrier(name, nic, up=True)
            if machine.process is None:
                self.start(name)
        self._note("all mended")
