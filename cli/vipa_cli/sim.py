"""``vipa sim``: one seeded run of the simulator, for who wants to see a rare course of events again."""

import sys

from vipa_cli import exits


def sim_command(seed: int, trace: int) -> int:
    """Play ``seed``. 0: every promise held; 1: one was broken (with the timeline); 3: no simulator is installed."""
    try:
        from vipa_sim.runs import run_seed
    except ModuleNotFoundError:
        sys.stderr.write("vipa sim: the simulator is not part of this installation; run it from a checkout\n")
        return exits.CANNOT_TELL
    outcome = run_seed(seed, trace=trace)
    sys.stdout.write(outcome.report() + "\n")
    overlaps = "; ".join(str(overlap) for overlap in outcome.overlaps) or "none"
    sys.stdout.write(f"at rest {outcome.rest_s:.2f} s after everything was mended; two answerers: {overlaps}\n")
    return exits.NOT_GOOD if outcome.failures else exits.GOOD
