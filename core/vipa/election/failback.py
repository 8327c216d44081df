"""Rule 9: when a holder may return to a better endpoint."""

from typing import Final

from vipa.plan import FailbackPolicy, Policy

DELAY_S_MAX: Final = 600.0
"""The delay doubles per flap up to ten minutes (01-election rule 9)."""


def wait_s(policy: Policy, flaps: int, healthy_for_s: float) -> float:
    """Seconds until failback to an endpoint with this history is allowed; 0: now; infinite: never.

    The first failure is what the delay is for; each further flap doubles it.
    """
    if policy.failback is FailbackPolicy.NEVER:
        return float("inf")
    if policy.failback is FailbackPolicy.IMMEDIATE:
        return 0.0
    doublings = min(max(flaps - 1, 0), 16)
    delay_s = min(policy.failback_delay_s * float(1 << doublings), max(DELAY_S_MAX, policy.failback_delay_s))
    return max(delay_s - healthy_for_s, 0.0)
