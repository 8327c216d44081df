"""Situations of isolation, of strangers on the LAN, and of other programs at work on the holder's kernel.

More rows of the table "Simulated" in docs/design/0002-election.md; see :mod:`vipa_sim.scenarios`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random

from vipa.plan import FailbackPolicy
from vipa_sim.faults import Faults
from vipa_sim.scenarios import THREE, Fault, Row
from vipa_sim.world import GATEWAY, World

STP_S = 15.0  # IEEE 802.1D: forward delay, once for listening; another one may follow for learning
PAIRS = replace(THREE, nics=(2, 2, 1), failback=FailbackPolicy.IMMEDIATE)
QUIET_PAIR = replace(THREE, nics=(1, 1), gateway=False, neighbours=0)


def _spare(world: World, holder: str) -> str:
    return next(name for name in world.machines if name != holder)


def _spare_port(**how: bool) -> Fault:
    def strike(world: World, faults: Faults, holder: str, rng: Random) -> float:
        faults.path(_spare(world, holder), "eth1", **how)
        return 5.0

    return strike


def _plugged(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """The holder's cable is out for a second; its port then listens."""
    faults.carrier(holder, "eth1", up=False)
    world.run(1.0)
    faults.plug(holder, "eth1", STP_S)
    return STP_S + 3.0


def _boots_listening(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """A node that is first in the list boots behind a port that listens."""
    faults.path("n1", "eth1", blocked=True)
    faults.after(STP_S, lambda: faults.path("n1", "eth1"))
    faults.start("n1")
    return STP_S + 3.0


def _uplink(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """All first NICs hang on one switch; the way from it to the gateway, the client and all second NICs is dead."""
    faults.split([[f"{name}/eth1" for name in ("n1", "n2")]])
    return 5.0


def _gateway(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.silence([GATEWAY])
    return 5.0


def _nothing(world: World, faults: Faults, holder: str, rng: Random) -> float:
    return 10.0


def _spare_dies(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """Nobody is left but the client; it has asked for the holder once, seconds ago."""
    world.run(8.0)
    faults.power_off(_spare(world, holder))
    return 5.0


def _foreign_first(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """Everything is off, a stranger has the address, the nodes boot: nobody claims before it is gone."""
    for name in world.machines:
        faults.power_off(name)
    faults.foreign_owner(world.addresses[0])
    for name in world.machines:
        faults.start(name, rng.random() * 0.3)
    faults.after(3.0, lambda: faults.foreign_leaves(world.addresses[0]))
    return 12.0


def _foreign_visits(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """A stranger takes the address for a while, says so twice, and goes without a word."""
    stranger = faults.foreign_owner(world.addresses[0])
    faults.after(6.0, lambda: stranger.ask(world.addresses[0]))
    faults.after(6.1, lambda: faults.foreign_leaves(world.addresses[0]))
    return 22.0


def _another_cluster(world: World, faults: Faults, holder: str, rng: Random) -> float:
    for name in ("r1", "r2"):
        faults.start(name, rng.random() * 0.3)
    return 10.0


def _arp_storm(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.arp_storm()
    faults.storm(holder)
    return 10.0


def _dies_in_a_storm(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.arp_storm()
    world.run(1.0)
    faults.power_off(holder)
    return 2.0


def _removed(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.remove_address(holder, world.addresses[0], "eth1")
    return 3.0


def _removed_unseen(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.lose_events(holder)
    return _removed(world, faults, holder, rng)


def _removed_often(world: World, faults: Faults, holder: str, rng: Random) -> float:
    for number in range(20):
        faults.after(0.2 * number, lambda: faults.remove_address(holder, world.addresses[0], "eth1"))
    return 7.0


def _permit_removed(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.remove_permit(holder, "eth1")
    return 3.0


def _flushed(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.flush(holder)
    return 3.0


def _spare_flushed(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.flush(_spare(world, holder))
    return 3.0


def _recreated(unseen: bool) -> Fault:
    def strike(world: World, faults: Faults, holder: str, rng: Random) -> float:
        faults.lose_events(holder, lost=unseen)
        faults.recreate(holder, "eth1", rng.uniform(0.0, 0.5))
        return 3.0

    return strike


def _renamed(unseen: bool) -> Fault:
    def strike(world: World, faults: Faults, holder: str, rng: Random) -> float:
        faults.lose_events(holder, lost=unseen)
        faults.rename(holder, "eth1", "lan1")
        return 3.0

    return strike


def _carrier_unseen(world: World, faults: Faults, holder: str, rng: Random) -> float:
    faults.lose_events(holder)
    faults.carrier(holder, "eth1", up=False)
    return 2.0


TWO_NICS = replace(THREE, nics=(2, 2), failback=FailbackPolicy.NEVER)
Strike = Callable[[World, Faults, str, Random], float]

ROWS: Mapping[str, Row] = {
    "spare deaf": Row(_spare_port(deaf=True), stays=True),
    "spare mute": Row(_spare_port(mute=True), stays=True),
    "spare's port blocked": Row(_spare_port(blocked=True), stays=True),
    "port listens 15 s, two NICs": Row(_plugged, PAIRS),
    "port listens 15 s, one NIC": Row(_plugged, replace(PAIRS, nics=(1, 1, 1))),
    "boots behind a listening port": Row(_boots_listening, PAIRS, absent=("n1",)),
    "dead beyond the first switch": Row(_uplink, PAIRS),
    "gateway dead alone": Row(_gateway, stays=True),
    "quiet LAN": Row(_nothing, QUIET_PAIR, stays=True),
    "quiet LAN, the spare dies": Row(_spare_dies, QUIET_PAIR, stays=True),
    "foreign owner first, then gone": Row(_foreign_first),
    "foreign owner comes and goes": Row(_foreign_visits, stays=True),
    "another cluster, same address": Row(
        _another_cluster, replace(THREE, rivals=(1, 1)), absent=("r1", "r2"), stays=True
    ),
    "two clusters start at once": Row(_nothing, replace(THREE, rivals=(1, 1))),
    "ARP storm, loop held up": Row(_arp_storm, stays=True),
    "power-off in an ARP storm": Row(_dies_in_a_storm),
    "address removed": Row(_removed, stays=True),
    "address removed, no event": Row(_removed_unseen, stays=True),
    "address removed 5 times a second": Row(_removed_often, stays=True),
    "permit removed": Row(_permit_removed),
    "tables flushed": Row(_flushed),
    "tables flushed, on a spare": Row(_spare_flushed, stays=True),
    "NIC deleted, made again": Row(_recreated(unseen=False), TWO_NICS),
    "NIC deleted, made again, no event": Row(_recreated(unseen=True), TWO_NICS),
    "only NIC deleted, made again": Row(_recreated(unseen=False)),
    "only NIC renamed": Row(_renamed(unseen=False)),
    "only NIC renamed, no event": Row(_renamed(unseen=True)),
    "NIC renamed, another there": Row(_renamed(unseen=False), TWO_NICS),
    "NIC loses carrier, no event": Row(_carrier_unseen, TWO_NICS),
}
