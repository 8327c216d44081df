"""Wait for what shall become true: look, and look again, until a deadline."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

_T = TypeVar("_T")

SOON_S: Final = 10.0
"""For what takes milliseconds on a quiet machine: tests run on busy ones."""


def until(
    look: Callable[[], _T | None],
    what: str | Callable[[], str] = "",
    timeout_s: float = SOON_S,
    every_s: float = 0.005,
    error: type[Exception] = AssertionError,
) -> _T:
    """The first true answer of ``look``; ``error`` that names ``what`` when there was none within ``timeout_s``.

    ``what`` as a function is asked at the end only, for what was seen last. However long this thread stood still, it
    looks once more before it gives up.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() >= deadline_s
        if found := look():
            return found
        if late:
            words = what() if callable(what) else what
            raise error(f"not within {timeout_s:g} s" + (f": {words}" if words else ""))
        time.sleep(every_s)
