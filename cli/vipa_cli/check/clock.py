"""Is time kept, and does this machine wake a program when it should?"""

import time
from pathlib import Path
from typing import Final

from vipa.timing import PROFILES, Timing
from vipa_cli.check.finding import Finding, ok, warn

_SOURCE: Final = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
# Both are known to be coarse or slow to read; every other source resolves microseconds.
_POOR: Final = ("jiffies", "refined-jiffies")
_WAKES: Final = 100
_SLEEP_S: Final = 0.005
_SLEWED_S: Final = 0.05
"""Half a second of slewing, at adjtimex(2)'s most of 10 %, moves the time of day by this much; more is a jump."""
_SUSPENDED_S: Final = 1.0
"""A permit's length and more; the two clocks are never read at quite the same time."""


def source(path: Path = _SOURCE) -> Finding:
    """The kernel's clock source."""
    try:
        name = path.read_text().strip()
    except OSError:
        return ok("clock", "the kernel does not say its source")
    if name in _POOR:
        return warn(
            "clock",
            f"source {name}: too coarse",
            "boot with another clocksource=, such as tsc or kvm-clock",
            "permits end and heartbeats leave at other times than meant",
        )
    return ok("clock", f"source {name}")


def suspended() -> list[Finding]:
    """Has this machine been asleep since it booted? CLOCK_MONOTONIC stands still then, as nftables' timers do."""
    asleep_s = time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if asleep_s < _SUSPENDED_S:
        return []
    return [
        warn(
            "suspend",
            f"this machine was suspended for {asleep_s:,.0f} s since it booted",
            "no suspend, and no snapshot with memory of a running virtual machine, on nodes that hold virtual IPs",
            "permits stand still meanwhile: when it wakes, it and its successor may both answer for some milliseconds",
        )
    ]


def wakes() -> list[Finding]:
    """Half a second of short sleeps: how late was the worst, and did the time of day jump?"""
    late_s = 0.0
    began_s, wall_s = time.monotonic(), time.clock_gettime(time.CLOCK_REALTIME)
    for _ in range(_WAKES):
        due_s = time.monotonic() + _SLEEP_S
        time.sleep(_SLEEP_S)
        late_s = max(late_s, time.monotonic() - due_s)
    jumped_s = (time.clock_gettime(time.CLOCK_REALTIME) - wall_s) - (time.monotonic() - began_s)
    return [judge_wakes(1000 * late_s), *judge_jump(jumped_s)]


def judge_wakes(late_ms: float) -> Finding:
    """An agent that is woken later than an interval distrusts itself and waits (rule 5)."""
    interval_ms = 1000 * PROFILES[Timing.DEFAULT].interval_s
    found = f"programs are woken up to {late_ms:.1f} ms late"
    if late_ms > interval_ms:
        return warn(
            "punctuality",
            f"{found}, more than Default's {interval_ms:.0f} ms",
            "use timing Calm, or less load",
            "an agent that late distrusts what it has not heard: it takes over later, never wrongly",
        )
    return ok("punctuality", found)


def judge_jump(jumped_s: float) -> list[Finding]:
    """``jumped_s``: how much further the time of day went than the time that passed."""
    if abs(jumped_s) <= _SLEWED_S:
        return []
    return [
        warn(
            "time of day",
            f"it jumped by {jumped_s:+.1f} s while this check ran",
            "one program that sets the clock, and slews it (chrony: makestep only at start)",
            "nothing moves because of it; but times in logs and statuses of the nodes cannot be compared",
        )
    ]
