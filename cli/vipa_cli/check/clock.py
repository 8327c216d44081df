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


def source(path: Path = _SOURCE) -> Finding:
    """The kernel's clock source."""
    try:
        name = path.read_text().strip()
    except OSError:
        return ok("clock", "the kernel does not say its source")
    if name in _POOR:
        return warn("clock", f"source {name}: too coarse", "boot with another clocksource=, such as tsc or kvm-clock")
    return ok("clock", f"source {name}")


def wakes() -> Finding:
    """Half a second of short sleeps: how late was the worst?"""
    late_s = 0.0
    for _ in range(_WAKES):
        due_s = time.monotonic() + _SLEEP_S
        time.sleep(_SLEEP_S)
        late_s = max(late_s, time.monotonic() - due_s)
    return judge_wakes(1000 * late_s)


def judge_wakes(late_ms: float) -> Finding:
    """An agent that is woken later than an interval distrusts itself and waits (rule 5)."""
    interval_ms = 1000 * PROFILES[Timing.DEFAULT].interval_s
    found = f"programs are woken up to {late_ms:.1f} ms late"
    if late_ms > interval_ms:
        return warn(
            "punctuality", f"{found}, more than Default's {interval_ms:.0f} ms", "use timing Calm, or less load"
        )
    return ok("punctuality", found)
