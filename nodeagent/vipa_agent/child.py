"""A process of the agent's own code, apart from its loop, with a socket for its standard input."""

import os
import sys
from collections.abc import Sequence


def spawn(module: str, words: Sequence[str], socket_fd: int, *, own_group: bool = False) -> int:
    """Start ``python -m module words``; gives its process id. ``own_group``: what stops or kills the agent's process
    group does not touch it. Takes milliseconds of the loop: while nothing is served yet. OSError when it cannot be
    started."""
    actions = [
        (os.POSIX_SPAWN_DUP2, socket_fd, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    command = [sys.executable, "-m", module, *words]
    if own_group:
        return os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setpgroup=0)
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
