"""Exit codes, the same for every command."""

from typing import Final

GOOD: Final = 0
NOT_GOOD: Final = 1
"""The thing asked about is not good: a broken promise, two answerers, a failed check."""
USAGE: Final = 2
CANNOT_TELL: Final = 3
"""No rights, no agent, nothing to look at: neither good nor bad is known."""
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells say it."""
