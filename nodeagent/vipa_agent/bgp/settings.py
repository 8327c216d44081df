"""BGP as the command line names it; apart from what does it, which an agent without BGP never loads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_DIR: Final = Path("/run/frr")
"""Where FRR's packages make its daemons' sockets (configure --localstatedir of FRR 8 to 10)."""


@dataclass(frozen=True, slots=True)
class BgpSettings:
    """``directory``: folder of FRR's sockets; None: no BGP."""

    directory: Path | None = None

    def __bool__(self) -> bool:
        """Whether FRR is to be told anything."""
        return self.directory is not None
