"""``make bench-report``: docs/benchmarks.md from the runs at hand."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cases import CASES, Case
from figures import Row, row
from machine import keepalived_version
from measure import ASK_MS, PROBE_MS
from records import QUICK_RUNS, ROOT, RUNS, Run, read

REPORT: Final = ROOT / "docs/benchmarks.md"
STORMS: Final = "## Storms of ARP\n"
CLUSTER: Final = "## In a real cluster\n"
"""The last section, which bench/kind_report.py writes."""

INTRODUCTION: Final = """# Benchmarks

What a client outside sees when an adapter, a machine or an agent fails: measured, beside Debian's keepalived, in one
run on one machine. Written by `make bench-failover`; that command repeats it.

"""

METHOD: Final = """
## How it is measured

Each run has a lab of its own, made of network namespaces: a switch, two machines, a client, a router. `w1` holds
10.1.1.7 on `eth1` and has a spare adapter `eth2` on the same LAN; `w2` has one adapter. The runs of all contenders take
turns, round by round, so that a noisy hour touches all alike, and the fault falls on a random moment of their beats.

- **outage**: a client that knows the address sends a datagram every {probe:g} ms at absolute deadlines. Outage is the
  longest time from its first unanswered send to the next answered one: ± 5 ms. Each answer names the machine.
- **lost**: datagrams without an answer within a second, of all sent in all runs.
- **cold**: a neighbour that knows nothing asks for the address by ARP every {ask:g} ms: longest time without an answer.
- **two**: time during which two adapters answered for the address at once, by a capture of every ARP frame at the
  switch, never by sampling.
- **TCP broke**: runs in which a long-lived connection was reset or stood still for good.
- **void**: runs not counted, because the probe itself was late: beside an outage by more than 3 ms; without one, more
  than one send in a hundred. They are repeated until n good runs are there.

Median, p95 (nearest rank) and maximum are over the n good runs. These machines are small: compare within a table, not
with another machine's.

## What keepalived was given

Debian's package, VRRP version 3, one instance, priorities 150 and 100, multicast, everything else its default. All
machines, vipa's too, have `arp_ignore=1` and `arp_announce=2`, for else both adapters of `w1` answer for keepalived's
address. keepalived has no failover between the adapters of one machine. For the loss of carrier it got the arrangement
that serves it best: adverts on the spare adapter and `track_interface` on the serving one, so that `w1` can still
resign. (With adverts on the serving adapter it waits for three missing ones, as in the case of the dead path.)
"""


def main() -> int:
    """Exit code 1 when there is nothing to report on."""
    parser = argparse.ArgumentParser(prog="bench/report.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="print a report of the quick runs, write no file")
    parser.add_argument("--note", default="", help="what a reader must know of these runs, e.g. what else ran")
    options = parser.parse_args()
    runs = read(QUICK_RUNS if options.quick else RUNS)
    if not any(not run.void for run in runs):
        print("no runs to report on: 'make bench-failover' makes them", file=sys.stderr)
        return 1
    text = render(runs, options.note)
    if options.quick:
        print(text)
    else:
        write(REPORT, text + kept(REPORT))
    return 0


def kept(path: Path) -> str:
    """What of the page is not made of these runs: the sections of the lab's and the end-to-end tests, if there."""
    text = path.read_text() if path.exists() else ""
    first = min((at for heading in (STORMS, CLUSTER) if (at := text.find(heading)) >= 0), default=len(text))
    return f"\n{text[first:]}" if text[first:] else ""


def write(path: Path, text: str) -> None:
    """Replace the report."""
    path.write_text(text)
    print(f"{path.relative_to(ROOT)} written")


def render(runs: Sequence[Run], note: str = "") -> str:
    """The whole page."""
    keepalived = keepalived_version() if any("keepalived" in run.contender for run in runs) else ""
    facts = [
        "- command: `make bench-failover`",
        *(f"- machine: {machine}" for machine in sorted({run.machine for run in runs})),
        *([f"- beside: {keepalived}"] if keepalived else []),
        f"- dates: {_span([run.date for run in runs])}",
        f"- vipa: {', '.join(dict.fromkeys(run.commit for run in runs)) or 'no git checkout'}"
        " (commits; + means with changes)",
        *([f"- note: {note}"] if note else []),
    ]
    tables = "".join(_table(case, runs) for case in CASES)
    return INTRODUCTION + "\n".join(facts) + "\n\n" + tables.rstrip() + "\n" + METHOD.format(probe=PROBE_MS, ask=ASK_MS)


def _table(case: Case, runs: Sequence[Run]) -> str:
    rows = [found for each in case.contenders if (found := row(case.name, each.name, runs))]
    if not rows:
        return ""
    head = (
        "| | n (void) | outage median / p95 / max, ms | lost of sent | cold median / max, ms | two median / max, ms |"
    )
    line = "|---|---|---|---|---|---|"
    if case.tcp:
        head, line = head + " TCP broke |", line + "---|"
    body = "\n".join(_line(each) for each in rows)
    return f"## {case.title[0].upper()}{case.title[1:]}\n\nPromise: {case.promise}.\n\n{head}\n{line}\n{body}\n\n"


def _line(figures: Row) -> str:
    least = "≥ " if figures.unended else ""
    cells = [
        figures.contender,
        f"{figures.n} ({figures.void})",
        f"{figures.outage_median_ms:.0f} / {figures.outage_p95_ms:.0f} / {least}{figures.outage_max_ms:.0f}",
        f"{figures.lost:,} of {figures.sent:,}",
        f"{figures.cold_median_ms:.0f} / {figures.cold_max_ms:.0f}",
        f"{figures.two_median_ms:.0f} / {figures.two_max_ms:.0f}",
    ]
    if figures.tcp_broke is not None:
        cells.append(f"{figures.tcp_broke} of {figures.n}")
    return "| " + " | ".join(cells) + " |"


def _span(dates: Sequence[str]) -> str:
    first, last = min(dates), max(dates)
    return first if first == last else f"{first} to {last}"


if __name__ == "__main__":
    sys.exit(main())
