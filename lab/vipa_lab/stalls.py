"""How late this machine wakes ordinary programs, per processor: the excuse, or not, for an agent that acted late.

``python -m vipa_lab.stalls --cpu 0`` sleeps 5 ms at a time, pinned to one processor at ordinary priority, and writes a
JSON line ``[woken at, ms late]`` (CLOCK_MONOTONIC) for every sleep that took 2 ms too long or more; SIGTERM ends it.
What the program itself does between two sleeps takes microseconds, so a lateness is the machine's: other programs, or
a hypervisor that gave the processor to someone else.
"""

import argparse
import json
import os
import sys
import time
from typing import Final

from vipa_lab.host import Host
from vipa_lab.pacing import Stop
from vipa_lab.process import Process

SLEEP_S: Final = 0.005
# What timer slack and an idle processor's wake-up cost was up to 1 ms here.
NOTED_MS: Final = 2.0
# Each costs about a hundredth of a processor; a stall of the whole machine shows on any.
_CPUS_MAX: Final = 8


class Stalls:
    """One watcher per processor (the first eight), run on ``host`` until the lab ends."""

    def __init__(self, host: Host) -> None:
        cpus = sorted(os.sched_getaffinity(0))[:_CPUS_MAX]
        argv = [sys.executable, "-m", "vipa_lab.stalls", "--cpu"]
        self.watchers: list[Process] = [host.start([*argv, str(cpu)], "stalls") for cpu in cpus]

    def worst_ms(self, start_s: float, end_s: float) -> float:
        """The latest wake of any processor whose sleep overlapped the time given; 0 for none that was noted."""
        worst = 0.0
        for watcher in self.watchers:
            whole, _, _ = watcher.output().rpartition("\n")
            for line in whole.splitlines():
                at_s, late_ms = json.loads(line)
                if at_s >= start_s and at_s - late_ms / 1000 <= end_s:
                    worst = max(worst, late_ms)
        return worst


def watch(stop: Stop) -> None:
    """Sleep and note, until ``stop``."""
    due_s = time.monotonic() + SLEEP_S
    while not stop:
        time.sleep(max(due_s - time.monotonic(), 0.0))
        now_s = time.monotonic()
        late_ms = (now_s - due_s) * 1000
        if late_ms >= NOTED_MS:
            sys.stdout.write(f"[{now_s:.6f},{late_ms:.3f}]\n")
            sys.stdout.flush()
        due_s = now_s + SLEEP_S


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpu", type=int, required=True)
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.cpu})
    watch(Stop())


if __name__ == "__main__":
    main()
