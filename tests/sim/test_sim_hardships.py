"""Isolation, strangers on the LAN, and other programs at work on a node: nobody steals a healthy virtual IP, nobody
keeps a dead one, and what was removed is back when the audit has seen it. One seed is one run."""

from functools import cache, partial

import pytest

from vipa.election.reach import MISSED, REACH_S
from vipa.election.stations import DEFEND_S
from vipa.timing import PROFILES, Timing, node_death_s
from vipa_sim.audit import AUDIT_S
from vipa_sim.figures import play_row, spread
from vipa_sim.hardships import ROWS
from vipa_sim.judge import CROSSING_MAX_S
from vipa_sim.scenarios import Result

SEEDS = 6
PROFILE = PROFILES[Timing.DEFAULT]
BUSY_MS = 250.0  # what stalls (60 ms) and slow commits (69 ms each) of several nodes add to a takeover
TAKEOVER_MS = 1000.0 * node_death_s(PROFILE, 2) + BUSY_MS

LONGEST_MS = {
    "dead beyond the first switch": 1000.0 * (REACH_S + (MISSED + 4) * PROFILE.interval_s) + BUSY_MS,
    "foreign owner first, then gone": 3000.0 + 4000.0,  # there for 3 s; probed 1, 2 and 4 s after one another
    "foreign owner comes and goes": 1000.0 * (DEFEND_S - 6.0) + BUSY_MS,
    "address removed": BUSY_MS,
    "address removed 5 times a second": BUSY_MS,
    "address removed, no event": 1000.0 * AUDIT_S + BUSY_MS,
}
"""What a client may lose; where nothing may move nothing, and elsewhere a takeover's time."""


@cache
def runs(name: str) -> tuple[Result, ...]:
    return tuple(spread(partial(play_row, name, False), range(SEEDS)))


@pytest.mark.parametrize("name", ROWS)
def test_one_answers_and_nobody_claims_what_another_serves(name: str) -> None:
    assert [f"seed {r.seed}: {r.failures}" for r in runs(name) if r.failures] == []
    overlaps = [o for r in runs(name) for o in r.overlaps if o.end_s - o.start_s > CROSSING_MAX_S]
    assert [str(overlap) for overlap in overlaps] == []
    assert [r.seed for r in runs(name) if "/" not in r.holder[1]] == []


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.stays])
def test_what_is_well_stays_where_it_is(name: str) -> None:
    assert [(r.seed, r.holder) for r in runs(name) if r.holder[0] != r.holder[1]] == []


@pytest.mark.parametrize("name", ROWS)
def test_nobody_keeps_a_dead_one(name: str) -> None:
    longest_ms = LONGEST_MS.get(name, 0.0 if ROWS[name].stays else TAKEOVER_MS)
    assert [(r.seed, r.outage_ms) for r in runs(name) if r.outage_ms > longest_ms] == []
