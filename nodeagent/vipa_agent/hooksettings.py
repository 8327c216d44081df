"""Notify hooks as the command line names them; apart from what runs them, which an agent without hooks never loads."""

from dataclasses import dataclass
from typing import Final

TIMEOUT_S: Final = 10.0
"""Long for a program that changes a route or sends mail, short for whoever waits for the next one."""
TIMEOUT_RANGE_S: Final = (0.1, 3600.0)


@dataclass(frozen=True, slots=True)
class HookSettings:
    """Absolute paths of programs, http(s) URLs, and the time that each call may take."""

    programs: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S

    def __bool__(self) -> bool:
        """Whether there is any hook."""
        return bool(self.programs or self.urls)
