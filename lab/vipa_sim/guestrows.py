"""Situations of addresses that belong to a guest behind a bridge of one node (docs/design/0011-virtual-ethernet.md).

The first node has the guest; only it can serve, with whichever of its interfaces is well, until the guest is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from vipa.plan import FailbackPolicy
from vipa.timing import PROFILES
from vipa_sim import scenarios
from vipa_sim.faults import Faults
from vipa_sim.machine import GUEST_FOUND_S
from vipa_sim.scenarios import TWO_NICS, Row
from vipa_sim.world import World

# A guest is taken for silent after three questions in a row, each waiting for the next one.
SILENT_MAX_S = 3.0 * GUEST_FOUND_S
WATCH_S = 2.0


def _silent(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """It stops, and is started again there."""
    stopped_s = rng.uniform(0.5, 3.0)
    faults.after(rng.uniform(0.0, stopped_s), lambda: faults.guest(holder, here=False))
    faults.after(stopped_s + rng.uniform(0.0, GUEST_FOUND_S), lambda: faults.guest(holder, here=True))
    return stopped_s + GUEST_FOUND_S + WATCH_S


def _moves(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """To the other node, which may find it long before the old one misses it."""
    world.guest_at = "n2"
    faults.after(rng.uniform(0.0, SILENT_MAX_S), lambda: faults.guest(holder, here=False))
    faults.after(rng.uniform(0.0, GUEST_FOUND_S), lambda: faults.guest("n2", here=True))
    return SILENT_MAX_S + WATCH_S


def _dies(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """With its node; it is started on the other one."""
    faults.power_off(holder)
    started_s = rng.uniform(0.5, 3.0)

    def start() -> None:
        world.guest_at = "n2"
        faults.guest("n2", here=True)

    faults.after(started_s, start)
    return started_s + WATCH_S


def _restart(world: World, faults: Faults, holder: str, rng: Random) -> float:
    """The agent's; until it has asked anew it does not know whether the guest is there."""
    faults.kill(holder, back_after_s=rng.uniform(0.02, PROFILES[world.shape.timing].permit_s * 0.5))
    return WATCH_S


GUESTS = replace(TWO_NICS, guests=True)

ROWS: Mapping[str, Row] = {
    "guest, NIC loses carrier": Row(scenarios.ROWS["NIC loses carrier"].fault, GUESTS),
    "guest, NIC's path dies": Row(scenarios.ROWS["NIC's path dies"].fault, GUESTS),
    "guest, agent restarted": Row(_restart, GUESTS),
    "guest falls silent and answers": Row(_silent, GUESTS),
    "guest moves to another node": Row(_moves, replace(GUESTS, failback=FailbackPolicy.DELAYED)),
    "guest's node dies": Row(_dies, GUESTS),
}
