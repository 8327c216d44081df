"""The clocks of the operator."""

import time
from datetime import UTC, datetime


def boottime_s() -> float:
    """Seconds since boot, also while the machine was suspended: a leader that slept must know that its time is over."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wall() -> datetime:
    """For what people read."""
    return datetime.now(UTC)
