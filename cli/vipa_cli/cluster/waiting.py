"""Waiting until something holds at the API server, with a deadline."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from vipa_cli.cluster.errors import UnreachableError

_POLL_S: Final = 0.25
"""A move takes about a second; a single object is cheap to read."""

Found = TypeVar("Found")


def wait_until(look: Callable[[], Found], done: Callable[[Found], bool], timeout_s: float) -> tuple[Found, bool]:
    """What ``look`` gave last, and whether ``done`` held for it. A server that is away is asked again until then."""
    deadline = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() >= deadline
        try:
            found = look()
        except UnreachableError:
            if late:
                raise
        else:
            if done(found):
                return found, True
            if late:
                return found, False
        time.sleep(_POLL_S)
