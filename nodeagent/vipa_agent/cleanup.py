"""``vipa-agent cleanup``: everything of vipa leaves this machine; never from under an agent that runs."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from vipa.errors import VipaError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.sources.api.lastplan import PLAN_NAME
from vipa_agent.state import STATE_NAME
from vipa_agent.status import SOCKET_NAME
from vipa_agent.tenure import ABSTRACT_NAME, LOCK_NAME, UPGRADE_NAME

FILES: Final = (STATE_NAME, PLAN_NAME, SOCKET_NAME, UPGRADE_NAME, LOCK_NAME)
"""What agents keep in their state dir."""


class AgentRunsError(VipaError):
    """Somebody serves this machine."""


def clean_up(state_dir: Path) -> None:
    """Addresses, tables, rules, routes, settings, and the files in ``state_dir``. Nothing there is good too.

    Raises AgentRunsError before anything is touched, KernelError after everything was tried."""
    with _nobody_serves(state_dir):
        kernel = Kernel(lambda _interface, _until: None, lambda _interface: None)
        try:
            kernel.clean_up()
        finally:
            kernel.close()
        for name in FILES:
            with suppress(FileNotFoundError):
                (state_dir / name).unlink()
        with suppress(OSError):  # not there, not empty, or a mount point: somebody else's
            state_dir.rmdir()


@contextmanager
def _nobody_serves(state_dir: Path) -> Iterator[None]:
    """Hold what agents hold, so that none begins meanwhile either."""
    with ExitStack() as held:
        name = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        try:
            name.bind(ABSTRACT_NAME)
            if (lock := _open(state_dir / LOCK_NAME)) is not None:
                held.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AgentRunsError(
                "cleanup: an agent runs on this machine; stop it first (systemctl stop vipa-agent; in a cluster keep "
                "the DaemonSet off the node). Nothing was touched"
            ) from error
        yield


def _open(lock: Path) -> int | None:
    with suppress(FileNotFoundError):  # no agent was ever here
        return os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    return None
