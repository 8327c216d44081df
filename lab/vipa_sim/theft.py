"""Rule 10 judged: nobody claims what a stranger, or another cluster's node, was seen to answer for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vipa.timing import PROFILES

if TYPE_CHECKING:
    from vipa_sim.machine import Machine, Nic
    from vipa_sim.world import World

SLOW_S = 0.2  # a slow commit each for the claim element and the permit, and what the loop adds
RANKS = 4  # probe rounds of the last of four nodes


class Theft:
    """Knows since when who answers, and since when the LAN has been as it is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._since: dict[tuple[str, str], float] = {}
        self._lan_since_s = 0.0

    def look(self, because: str) -> None:
        """Something changed; ``because`` as for :meth:`vipa_sim.judge.Judge.look`."""
        now = self._world.engine.now
        if because == "link":
            self._lan_since_s = now
        if not self._world.shape.rivals:
            return
        answering = {
            (address, node)
            for address in self._world.addresses
            for part in self._world.judge.answering(address).values()
            for node, _ in part
        }
        self._since = {key: self._since.get(key, now) for key in answering}

    def claimed(self, machine: Machine, interface: str, address: str) -> None:
        """A node was permitted to serve what it claimed by rule 5. Accuses it when a stranger answered all the time in
        which it asked; not when frames get lost, for then it may not have heard."""
        world = self._world
        nic = machine.nics.get(interface)
        before_s = world.engine.now - self._asked_s()
        if nic is None or world.lan.loss > 0.0 or self._lan_since_s > before_s:
            return
        stranger = world.strangers.get(address)
        if stranger is not None and stranger.since_s <= before_s and self._hears(nic, stranger.port.mac):
            world.judge.accuse(f"{machine.name} claims {address}, which a stranger has")
        for other in world.machines.values():
            if other.cluster == machine.cluster or self._since.get((address, other.name), before_s + 1) > before_s:
                continue
            if any(self._hears(nic, n.port.mac) for n in other.nics.values()):
                world.judge.accuse(f"{machine.name} claims {address}, which {other.name} of another cluster serves")

    def _asked_s(self) -> float:
        profile = PROFILES[self._world.shape.timing]
        return RANKS * profile.probes * profile.gap_s + SLOW_S

    def _hears(self, nic: Nic, mac: str) -> bool:
        port = nic.lan.ports.get(mac)
        return port is not None and nic.lan.reaches(nic.port, port) and nic.lan.reaches(port, nic.port)
