"""The clock of permits: CLOCK_BOOTTIME, which also counts suspended time."""

import time


def boottime_s() -> float:
    """Seconds since boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
