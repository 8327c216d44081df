"""Somebody else at work on a node: interfaces deleted, made again, renamed; addresses and tables removed; no events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vipa_sim.striking import Striking

if TYPE_CHECKING:
    from vipa_sim.machine import Machine


class KernelFaults(Striking):
    """Faults of one node's kernel."""

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
        machine.link_changed(polled=False)
        self._world.judge.look("link")

    def rename(self, node: str, nic: str, name: str) -> None:
        """The interface gets another name and keeps all else."""
        machine = self._machine(node)
        found = machine.nics.pop(nic, None)
        if found is None or name in machine.nics:
            return
        self._note(f"rename {node}/{nic} {name}")
        found.name = name
        machine.nics[name] = found
        machine.kernel.rename_interface(nic, name)
        machine.link_changed()
        self._world.judge.look("link")

    def remove_address(self, node: str, vip: str, nic: str) -> None:
        """A virtual IP is taken off one interface, as network managers do."""
        machine = self._machine(node)
        if nic in machine.kernel.bound.get(vip, ()):
            self._note(f"remove {vip} from {node}/{nic}")
            machine.kernel.remove(vip, nic)
            machine.address_removed()
            self._world.judge.look("link")

    def remove_permit(self, node: str, nic: str) -> None:
        """The timed element of an interface is deleted."""
        if self._machine(node).kernel.alive.pop(nic, None) is not None:
            self._note(f"remove the permit of {node}/{nic}")
            self._world.judge.look("link")

    def flush(self, node: str) -> None:
        """``nft flush ruleset``: whatever is bound is answered, until the agent has made its tables anew."""
        self._note(f"flush {node}")
        self._machine(node).kernel.flush()
        self._world.judge.look("link")

    def lose_events(self, node: str, lost: bool = True) -> None:
        """The kernel's news of links and addresses do not reach the agent: only its polls and audits tell."""
        self._note(f"events {'lost' if lost else 'heard'} on {node}")
        self._machine(node).told_of_links = not lost
