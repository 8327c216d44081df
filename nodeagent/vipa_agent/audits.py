"""When an agent looks at all it has in the kernel although no event came."""

import asyncio
from collections.abc import Callable
from typing import Final

AUDIT_S: Final = 0.5
"""What no event tells is put back within 1 s."""

AUDIT_REST: Final = 30
AUDIT_S_MAX: Final = 0.8
"""And not before this many times what the last look took, 20 ms with 2,000 virtual IPs: a thirtieth of a core, as far
as that second allows."""

CROWD: Final = 64
"""So many virtual IPs on the move at once are a takeover of hundreds, and a look would cost as much as 50 of them."""

CROWD_POLL_S: Final = 0.05
CROWD_POLLS_MAX: Final = 16
"""A look waits for the end of one that keeps its second (2,000 at Default), and no longer: 0.8 s."""


async def rest(took_s: float, moving: Callable[[], int]) -> None:
    """Until the next look, where the last one took ``took_s``; ``moving`` tells how many virtual IPs are on the
    move."""
    await asyncio.sleep(min(max(AUDIT_S, AUDIT_REST * took_s), AUDIT_S_MAX))
    for _ in range(CROWD_POLLS_MAX):
        if moving() < CROWD:
            return
        await asyncio.sleep(CROWD_POLL_S)
