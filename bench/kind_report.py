"""The section "In a real cluster" of docs/benchmarks.md, from what the end-to-end tests kept."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from report import CLUSTER, REPORT, write
from vipa_lab.kind.lan import UDP_PERIOD_MS
from vipa_lab.kind.outages import LATE_MS, OUTAGES, Outage, read, table

INTRODUCTION: Final = """
The end-to-end tests' cluster: three Kubernetes nodes, made by kind as containers on one machine, which also runs their
API server, client and probes. vipa is installed by its chart. `vipa-worker` has 10.1.1.4 and 10.1.1.5 on one LAN with
`vipa-worker2`, 10.1.1.6; a client container sends a datagram every {period:g} ms and keeps a TCP connection. Each round
of the tests has each fault once. Resolution is {resolution:g} ms; *late* are runs in which the probe itself was late by
more than {late:g} ms, beside the outage or, without one, ever.

"""


def main() -> int:
    """Exit code 1 when there is nothing to report on."""
    parser = argparse.ArgumentParser(prog="bench/kind_report.py", description=__doc__)
    parser.add_argument("--timing", default="Default", help="runs at this profile")
    parser.add_argument("--note", default="", help="what a reader must know of these runs, e.g. what else ran")
    options = parser.parse_args()
    outages = [outage for outage in read(OUTAGES) if outage.timing == options.timing]
    if not outages:
        print(
            f"no runs at {options.timing} to report on: make kind-test ARGS='--timing {options.timing}' makes them",
            file=sys.stderr,
        )
        return 1
    write(REPORT, replaced(REPORT, section(outages, options.note)))
    return 0


def section(outages: Sequence[Outage], note: str = "") -> str:
    """The section, from its heading on."""
    timing = outages[0].timing
    dates = sorted({outage.date for outage in outages})
    facts = [
        f"- command: `make kind-test ARGS='--timing {timing}'`, then `.venv/bin/python bench/kind_report.py`",
        *(f"- machine: {machine}" for machine in sorted({outage.machine for outage in outages})),
        f"- dates: {' to '.join(dict.fromkeys((dates[0], dates[-1])))}",
        f"- vipa: {', '.join(dict.fromkeys(outage.commit for outage in outages))} (commits; + means with changes)",
        *([f"- note: {note}"] if note else []),
    ]
    introduction = INTRODUCTION.format(period=UDP_PERIOD_MS, resolution=2 * UDP_PERIOD_MS, late=LATE_MS)
    return CLUSTER + introduction + "\n".join(facts) + "\n\n" + table(outages) + "\n"


def replaced(path: Path, text: str) -> str:
    """The page with this section instead of its own."""
    before = path.read_text().partition(CLUSTER)[0].rstrip()
    return f"{before}\n\n{text}"


if __name__ == "__main__":
    sys.exit(main())
