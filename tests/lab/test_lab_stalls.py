"""The watchers of the machine's punctuality."""

import os
import signal
import time

from vipa_lab.lab import Lab
from vipa_lab.stalls import SLEEP_S, Stalls
from vipa_lab.until import until

STOPPED_S = 0.15
DEADLINE_S = 20.0


def test_a_watcher_that_was_held_up_says_for_how_long_and_when(lab: Lab) -> None:
    stalls = Stalls(lab.add_client("c1"))
    pid = stalls.watchers[0].pid

    def noted() -> bool:
        """One that has not begun yet to watch notes nothing."""
        before_s = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(pid, signal.SIGCONT)
        time.sleep(STOPPED_S)
        return stalls.worst_ms(before_s, time.monotonic()) >= 1000 * (STOPPED_S - SLEEP_S)

    until(noted, "a stall is noted", DEADLINE_S)
    long_ago_s = time.monotonic() - 3600
    assert stalls.worst_ms(long_ago_s, long_ago_s + 1) == 0.0
