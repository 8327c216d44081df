"""Faults of the LAN: split, lossy, without its gateway or any other word; and strangers on it."""

from __future__ import annotations

from collections.abc import Iterable

from vipa_sim.stations import Station
from vipa_sim.striking import Striking

STRANGER_MAC = "02:66:00:00:00:01"
STORM_MAC = "02:66:00:00:00:02"
STORM_PER_S = 1000.0  # the storm that agents are to bear
STORM_STATIONS = 200  # a worm's scan, or a large broadcast domain that lost its switches' tables


class LanFaults(Striking):
    """What can be done to the LAN."""

    def split(self, groups: Iterable[Iterable[str]]) -> None:
        """Cut the LAN: each group is a set of node names, of interfaces (``n1/eth1``) and of station addresses; who is
        not named stays in group 0."""
        sets = [set(group) for group in groups]
        self._note("split " + " | ".join(",".join(sorted(group)) for group in sets))
        for port in self._world.lan.ports.values():
            kind, _, rest = port.name.partition("/")
            names = {rest} if kind == "station" else {kind, port.name}
            port.group = next((number for number, group in enumerate(sets, 1) if names & group), 0)
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

    def silence(self, addresses: Iterable[str], on: bool = True) -> None:
        """These stations (all for none named) are dead, or live again: a gateway, or all who would answer an ask."""
        named = set(addresses)
        self._note(f"stations {'silent' if on else 'back'} {','.join(sorted(named)) or 'all'}")
        for station in self._world.stations:
            if not named or station.address in named:
                station.port.blocked = on

    def foreign_owner(self, vip: str) -> Station:
        """A host that has the VIP as its own address is plugged in and announces it once."""
        self._note(f"foreign owner of {vip}")
        station = Station(self._world.engine, self._world.lan, vip, STRANGER_MAC)
        self._world.strangers[vip] = station
        station.ask(vip)
        return station

    def foreign_leaves(self, vip: str) -> None:
        """It is gone again, without a word."""
        station = self._world.strangers.pop(vip, None)
        if station is not None:
            self._note(f"foreign owner of {vip} leaves")
            self._world.lan.unplug(station.port)

    def arp_storm(self, on: bool = True) -> None:
        """Somebody asks for a thousand addresses a second, in the name of many stations that answer nobody."""
        self._note(f"ARP storm {'on' if on else 'off'}")
        self._world.storming = on
        if on:
            self._storm(Station(self._world.engine, self._world.lan, "10.1.1.250", STORM_MAC), 0)

    def _storm(self, source: Station, number: int) -> None:
        if not self._world.storming:
            self._world.lan.unplug(source.port)
            return
        source.scan(f"10.1.2.{number % STORM_STATIONS}", f"10.1.3.{number % 250}")
        self._world.engine.after(1.0 / STORM_PER_S, self._storm, source, number + 1)

    def mend_lan(self) -> None:
        """Nobody is there who should not be, and everybody else is."""
        self._world.lan.meddle = None
        self.silence((), on=False)
        self.arp_storm(on=False)
        for vip in tuple(self._world.strangers):
            self.foreign_leaves(vip)
