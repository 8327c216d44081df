"""``make bench-failover``: what a client outside sees when adapters, machines and agents fail.

Each case is run 30 times for each contender, round by round, so that a noisy hour touches all alike. Runs are kept as
JSON lines; started again it goes on where it was. Void runs (a late probe) are kept, counted and repeated.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cases import CASES, Case
from contenders import Contender, Keepalived
from measure import NotServed, measure
from records import LOGS, QUICK_RUNS, RUNS, Run, append, read
from vipa_lab.errors import LabError
from vipa_lab.privileges import ensure_privileges

GOOD_RUNS: Final = 30
QUICK_GOOD_RUNS: Final = 2
# A machine that spoils half of all runs cannot measure milliseconds; then say so instead of trying for ever.
VOID_PER_GOOD_MAX: Final = 1.0
FAILURES_MAX: Final = 3

Pair = tuple[Case, Contender]


def main() -> int:
    """Exit code 0: all runs are there; 1: some could not be had; 2: usage."""
    options = _parse(sys.argv[1:])
    path = QUICK_RUNS if options.quick else RUNS
    wanted = options.n or (QUICK_GOOD_RUNS if options.quick else GOOD_RUNS)
    has_keepalived = _get_keepalived()
    try:
        ensure_privileges()
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    pairs = [
        (case, contender)
        for case in CASES
        for contender in case.contenders
        if options.case in ("", case.name) and options.contender in contender.name
        if has_keepalived or not isinstance(contender, Keepalived)
    ]
    return _run_all(pairs, wanted, path, LOGS if options.keep_logs else None)


def _run_all(pairs: Sequence[Pair], wanted: int, path: Path, logs: Path | None) -> int:
    good, void = tally(read(path))
    failures: Counter[tuple[str, str]] = Counter()
    given_up: set[tuple[str, str]] = set()
    start_s, done = time.monotonic(), 0
    while left := [pair for pair in pairs if good[key(pair)] < wanted and key(pair) not in given_up]:
        fewest = min(good[key(pair)] for pair in left)
        for case, contender in (pair for pair in left if good[key(pair)] == fewest):
            name = key((case, contender))
            try:
                run = measure(case, contender, logs and logs / f"{case.name}-{contender.name}-{time.time_ns()}")
            except (NotServed, LabError) as error:
                failures[name] += 1
                print(f"{case.name}, {contender.name}: no run: {error}", flush=True)
                if failures[name] == FAILURES_MAX:
                    given_up.add(name)
                continue
            append(path, run)
            done += 1
            (void if run.void else good)[name] += 1
            if void[name] > FAILURES_MAX + wanted * VOID_PER_GOOD_MAX:
                given_up.add(name)
            missing = sum(wanted - good[key(pair)] for pair in left)
            print(tell(run, missing * (time.monotonic() - start_s) / done), flush=True)
    for name in sorted(given_up):
        print(f"given up: {', '.join(name)}: {void[name]} void runs, {failures[name]} failed", file=sys.stderr)
    return 1 if given_up else 0


def key(pair: Pair) -> tuple[str, str]:
    """What a run is counted under."""
    return pair[0].name, pair[1].name


def tally(runs: Sequence[Run]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """How many good and how many void runs there are of each case and contender."""
    good = Counter((run.case, run.contender) for run in runs if not run.void)
    void = Counter((run.case, run.contender) for run in runs if run.void)
    return good, void


def tell(run: Run, left_s: float) -> str:
    """One line about a run for who watches."""
    verdict = f"void, {run.void}" if run.void else f"{run.took_over} answers"
    figures = f"outage {run.outage_ms:g} ms, lost {run.lost}, cold {run.cold_ms:g} ms, two {run.two_ms:g} ms"
    return f"{run.case:13} {run.contender:19} {figures}; {verdict}; {left_s / 60:.0f} min left"


def _get_keepalived() -> bool:
    """Debian's keepalived: installed when we may, else named in one line."""
    if shutil.which("keepalived") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing keepalived with apt-get", flush=True)
        for command in ("update", "install -y --no-install-recommends keepalived"):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "-qq", *command.split()], env=environment, check=False, capture_output=True)
    if shutil.which("keepalived") is None:
        print("keepalived is missing ('apt install keepalived' as root): only vipa is measured", file=sys.stderr)
        return False
    return True


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/failover.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two runs of each, into a file of their own")
    parser.add_argument("--n", type=int, default=0, help=f"good runs of each case and contender ({GOOD_RUNS})")
    parser.add_argument("--case", default="", choices=["", *(case.name for case in CASES)], help="only this case")
    parser.add_argument("--keep-logs", action="store_true", help="keep every run's logs in build/bench/logs")
    parser.add_argument("--contender", default="", help="only names that hold this word, e.g. vipa")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
