"""The watchers of the machine's punctuality."""

import os
import signal
import time

from vipa_lab.lab import Lab
from vipa_lab.stalls import SLEEP_S, Stalls

STOPPED_S = 0.15
DEADLINE_S = 20.0


def test_a_watcher_that_was_held_up_says_for_how_long_and_when(lab: Lab) -> None:
    stalls = Stalls(lab.add_client("c1"))
    time.sleep(1.0)  # started, and past the lateness of starting
    before_s = time.monotonic()
    pid = stalls.watchers[0].pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED_S)
    os.kill(pid, signal.SIGCONT)
    held_ms = 1000 * (STOPPED_S - SLEEP_S)
    while stalls.worst_ms(before_s, time.monotonic()) < held_ms:
        assert time.monotonic() - before_s < DEADLINE_S
        time.sleep(0.01)
    long_ago_s = before_s - 3600
    assert stalls.worst_ms(long_ago_s, long_ago_s + 1) == 0.0
