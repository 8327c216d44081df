"""How often routers ask and agents report."""

from typing import Final

from vipa.timing import PROFILES, Timing

REPORT_S: Final = PROFILES[Timing.DEFAULT].interval_s
"""Between reports of a node that holds something, or may soon, at the least: Default's interval. More often would cost
every agent for each router, and of what they find out agents tell at once anyway."""

REPORT_SLOW_S: Final = 1.0
"""Of the others."""

ASK_S: Final = 0.2
"""Between asks."""

LEASE_S: Final = 3.0
"""An agent reports to a router for so long after its last ask."""
