"""The table of planned moves under fire, and what each line of it may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from vipa.timing import PROFILES, node_death_s
from vipa_sim.figures import spread
from vipa_sim.judge import CROSSING_MAX_S
from vipa_sim.meddling import MEDDLINGS
from vipa_sim.moves import QUIET
from vipa_sim.underfire import BACK_S, Job, Verdict, jobs

SECOND_NIC_MS = 500.0  # the bound of a failed NIC in tests/sim: what its silence, a stall and slow commits add up to
OFF_THE_LIST_MS = 1500.0  # docs/limits.md, "On plain machines"
KILLED_BACK = "old holder's agent killed, back"
MESSAGES = frozenset(map(str, MEDDLINGS))


def allowed_ms(verdict: Verdict) -> float:
    """Longest loss that is no defect: none, but where what serves is itself struck down."""
    if verdict.move == "off the list":
        return OFF_THE_LIST_MS  # no planned move, but measured beside them
    if verdict.row == KILLED_BACK:
        return 1000.0 * (node_death_s(PROFILES[QUIET.timing], 2) + BACK_S)  # docs/limits.md, "killed within"
    struck_down = verdict.row not in MESSAGES and "agent" not in verdict.row and "other adapter" not in verdict.row
    return SECOND_NIC_MS if struck_down else 0.0


def broken(verdict: Verdict) -> bool:
    """Whether a promise was broken."""
    doubled = any(overlap.end_s - overlap.start_s > CROSSING_MAX_S for overlap in verdict.overlaps)
    return bool(verdict.wrong) or doubled or verdict.lost_ms > allowed_ms(verdict)


def _call(job: Job) -> Verdict:
    return job()


def play(names: Iterable[str], seeds: Sequence[int], noisy: bool = False, every: int = 1) -> Iterator[Verdict]:
    """All runs of these kinds of move, spread over the machine's cores; see :func:`vipa_sim.underfire.jobs`."""
    wanted = list(chain.from_iterable(jobs(name, seed, noisy, every, seed) for name in names for seed in seeds))
    yield from spread(_call, wanted)


def table(verdicts: Sequence[Verdict], names: Sequence[str]) -> Iterator[str]:
    """Lines: per fault the runs, the longest loss in ms under each kind of move, two answerers, no holder."""
    yield f"{'fault':<38} {'runs':>5}" + "".join(f"{name:>14}" for name in names) + "   two answerers  no holder"
    rows = dict.fromkeys(v.row for v in verdicts)
    for row in rows:
        of_row = [v for v in verdicts if v.row == row]
        worst = [max((v.lost_ms for v in of_row if v.move == name), default=0.0) for name in names]
        doubled = [o.ms for v in of_row for o in v.overlaps]
        two = f"{len(doubled)} (≤ {max(doubled):.1f} ms)" if doubled else "0"
        alone = sum(bool(v.wrong) for v in of_row)
        cells = "".join(f"{ms:>14.0f}" for ms in worst)
        yield f"{row:<38} {len(of_row):>5}{cells}   {two:>13}  {alone:>9}"
