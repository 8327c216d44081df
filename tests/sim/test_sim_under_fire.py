"""Rule 4: planned moves with every message of the exchange lost, doubled or late, and every adapter, port, agent and
machine of both nodes failing at every point of it. ``python -m vipa_sim under-fire`` makes the whole table."""

import pytest

from vipa_sim.firetable import broken, play, table
from vipa_sim.meddling import MEDDLINGS
from vipa_sim.moves import MOVES
from vipa_sim.underfire import course, strikes

PLANNED = [name for name in MOVES if name != "off the list"]
EVERY = 9  # of the points; each seed takes others


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANNED)
def test_nothing_is_lost_and_nothing_is_served_twice(name: str) -> None:
    verdicts = list(play([name], [PLANNED.index(name)], every=EVERY))
    bad = [str(verdict) for verdict in verdicts if broken(verdict)]
    assert not bad, "\n".join(bad)
    assert [v.what for v in verdicts if not v.struck] == [], "every message was met"


@pytest.mark.slow
def test_with_stalled_loops_and_slow_commits_too() -> None:
    bad = [str(v) for v in play(["move", "SIGTERM"], [3], noisy=True, every=3 * EVERY) if broken(v)]
    assert not bad, "\n".join(bad)


def test_all_parts_of_both_nodes_are_struck_at_all_points() -> None:
    move = MOVES["move"]
    whats = [strike.what for strike in strikes(move)]
    assert len(set(whats)) == len(whats)
    for node in (move.old, move.new):
        for nic in ("eth1", "eth2"):
            assert {f"{how} {node}/{nic}" for how in ("carrier", "blocked", "deaf", "mute")} <= set(whats)
        assert {f"{how} {node}" for how in ("kill", "restart", "freeze", "power-off")} <= set(whats)
    found = course("move", 0)
    before = [at for at in found.points if at <= found.moved_s]
    assert len(before) > 12, "offer, bind, ready, revoke, go, claim element, permit, announcement, and between them"
    assert found == course("move", 0)


def test_the_table_has_a_line_for_every_fault() -> None:
    verdicts = list(play(["SIGTERM"], [0], every=1000))
    lines = list(table(verdicts, ["SIGTERM"]))
    assert all(any(line.startswith(str(meddling)) for line in lines) for meddling in MEDDLINGS)
