"""Command line: ``python -m vipa_sim run --seed N``, ``random``, ``row``, ``figures`` and ``under-fire``."""

import argparse
import sys
import time

from vipa_sim.figures import HEADER, play_row, run_random, run_rows
from vipa_sim.firetable import broken, play, table
from vipa_sim.moves import MOVES
from vipa_sim.rows import ROWS
from vipa_sim.runs import run_seed


def _run(args: argparse.Namespace) -> int:
    outcome = run_seed(args.seed, trace=args.trace)
    print(outcome.report())
    print(f"rest {outcome.rest_s:.2f} s after mending; overlaps: {[str(o) for o in outcome.overlaps] or 'none'}")
    return 1 if outcome.failures else 0


def _random(args: argparse.Namespace) -> int:
    started, bad, healing, count = time.monotonic(), 0, 0, 0
    for outcome in run_random(range(args.first, args.first + args.count), args.trace):
        count += 1
        healing += any(o.by_heal for o in outcome.overlaps)
        if outcome.failures:
            bad += 1
            brief = f"seed {outcome.seed}: " + "; ".join(outcome.failures)
            print(outcome.report() if args.trace else brief, flush=True)
    took = time.monotonic() - started
    print(f"{count} seeds in {took:.0f} s: {bad} failed, {healing} with two answerers while a split healed (≤ 1 s)")
    return 1 if bad else 0


def _row(args: argparse.Namespace) -> int:
    result = play_row(args.name, args.from_suspicion, args.seed, args.trace)
    print("\n".join(result.trace))
    print(f"outage {result.outage_ms:.0f} ms, {' → '.join(result.holder)}; {result.failures}", *result.overlaps)
    return 1 if result.failures or result.double else 0


def _figures(args: argparse.Namespace) -> int:
    print(HEADER)
    for line in run_rows(args.row or list(ROWS), range(args.runs), args.from_suspicion):
        print(line, flush=True)
    return 0


def _under_fire(args: argparse.Namespace) -> int:
    names = args.move or list(MOVES)
    verdicts = list(play(names, range(args.first, args.first + args.seeds), args.noisy, args.every))
    print("\n".join(table(verdicts, names)))
    bad = [verdict for verdict in verdicts if broken(verdict)]
    print(f"{len(verdicts)} runs, {len(bad)} broke a promise")
    print("\n".join(map(str, bad)))
    return 1 if bad else 0


def main() -> int:
    """Parse the command line; exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="vipa_sim", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="one random world, with its timeline")
    run.add_argument("--seed", type=int, required=True)
    run.add_argument("--trace", type=int, default=100, help="lines of timeline on failure")
    run.set_defaults(do=_run)
    many = commands.add_parser("random", help="many random worlds")
    many.add_argument("--first", type=int, default=0)
    many.add_argument("--count", type=int, default=500)
    many.add_argument("--trace", type=int, default=0)
    many.set_defaults(do=_random)
    row = commands.add_parser("row", help="one run of one situation, with its timeline")
    row.add_argument("name", choices=list(ROWS))
    row.add_argument("--seed", type=int, default=0)
    row.add_argument("--trace", type=int, default=100)
    row.add_argument("--from-suspicion", action="store_true")
    row.set_defaults(do=_row)
    table = commands.add_parser("figures", help="the table of all situations")
    table.add_argument("--runs", type=int, default=100)
    table.add_argument("--row", action="append", choices=list(ROWS))
    table.add_argument("--from-suspicion", action="store_true", help="the rank delay's wrong variant")
    table.set_defaults(do=_figures)
    fire = commands.add_parser("under-fire", help="planned moves, struck at every point of their exchange")
    fire.add_argument("--move", action="append", choices=list(MOVES))
    fire.add_argument("--first", type=int, default=0)
    fire.add_argument("--seeds", type=int, default=1)
    fire.add_argument("--every", type=int, default=1, help="only one in so many points, others for each victim")
    fire.add_argument("--noisy", action="store_true", help="with stalled loops and slow commits")
    fire.set_defaults(do=_under_fire)
    args = parser.parse_args()
    return int(args.do(args))


if __name__ == "__main__":
    sys.exit(main())
