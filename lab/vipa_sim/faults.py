"""Faults by name: each method strikes or mends one thing, leaves a trace line and lets the judge look."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vipa_sim.kernelfaults import KernelFaults
from vipa_sim.lanfaults import LanFaults

if TYPE_CHECKING:
    from vipa_sim.lan import Port

AGENT_START_S = 0.3  # from the kernel's start (or the process's death) to the agent's first step
STORM_STALLS_PER_S = 8.0  # half of the time held up: 8 × (5…60 ms)


class Faults(LanFaults, KernelFaults):
    """What can be done to ``world``. Nodes and interfaces are named as in the trace: ``n1``, ``eth1``."""

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

    def guest(self, node: str, here: bool) -> None:
        """The agent of this node finds out that the guest answers there, or does not. Where it really is:
        ``World.guest_at``."""
        machine = self._machine(node)
        if machine.guest != here:
            self._note(f"guest {'is' if here else 'is not'} at {node}")
            machine.know_guest(here)

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

    def plug(self, node: str, nic: str, listens_s: float) -> None:
        """The cable is plugged in again at a switch port that listens for so long before it forwards (spanning tree):
        the link is up, and nothing passes."""
        self.path(node, nic, blocked=True)
        self.carrier(node, nic, up=True)
        self.after(listens_s, partial(self.path, node, nic))

    def _port(self, node: str, nic: str) -> Port | None:
        found = self._machine(node).nics.get(nic)
        return found.port if found else None

    # All of it

    def mend_all(self) -> None:
        """Everything is as it was at the start, and every node and agent runs."""
        self.loss(0.0)
        self.join()
        self.mend_lan()
        for name, machine in self._world.machines.items():
            machine.ambush.clear()
            machine.told_of_links = True
            machine.delays.stalls_per_s = self._world.shape.stalls_per_s
            self.thaw(name)
            self.health(name, passes=True)
            for nic in tuple(machine.nics):
                self.path(name, nic)
                self.carrier(name, nic, up=True)
            if machine.process is None:
                self.start(name)
        self._note("all mended")
