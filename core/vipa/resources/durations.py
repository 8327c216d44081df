"""Durations as people write them in manifests: "30s", "1m30s", "500ms"."""

import re
from functools import lru_cache
from typing import Final

UNITS_S: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION_MAX_S: Final = 24 * 3600.0
"""Longer waits are better said as policy ``Never`` than as a number nobody will see end."""

# At most 9 digits a part: enough for a day in milliseconds, and no text can make the arithmetic overflow.
PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|h|m|s)", re.ASCII)


class DurationError(ValueError):
    """The text is no duration; the message says what would be."""


@lru_cache(256)
def parse_duration_s(text: str) -> float:
    """Seconds of ``text``, a sequence of numbers with units h, m, s, ms. Raises :class:`DurationError`."""
    total_s, at = 0.0, 0
    while part := PART.match(text, at):
        total_s += float(part[1]) * UNITS_S[part[2]]
        at = part.end()
    if at == 0 or at != len(text):
        raise DurationError('no duration; write numbers with units h, m, s or ms, such as "30s", "1m30s" or "500ms"')
    if total_s > DURATION_MAX_S:
        raise DurationError('longer than a day; write at most "24h"')
    return total_s
