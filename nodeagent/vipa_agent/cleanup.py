"""``vipa-agent cleanup``: everything of vipa leaves this machine; never from under an agent that runs."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vipa.errors import VipaError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.sources.api.lastplan import PLAN_NAME
from vipa_agent.state import STATE_NAME
from vipa_agent.status import SOCKET_NAME
from vipa_agent.tenure import LOCK_NAME, UPGRADE_NAME

FILES: Final = (STATE_NAME, PLAN_NAME, SOCKET_NAME, UPGRADE_NAME, LOCK_NAME)
"""What agents keep in their state dir."""


class AgentRunsError(VipaError):
    """Somebody serves this machine."""


def clean_up(state_dir: Path, port: int) -> None:
    """Addresses, tables, rules, routes, settings, and the files in ``state_dir``. Nothing there is good too.

    Raises AgentRunsError before anything is touched, KernelError after everything was tried."""
    with _nobody_serves(state_dir, port):
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
def _nobody_serves(state_dir: Path, port: int) -> Iterator[None]:
    """Hold what agents hold, so that none begins meanwhile either. The port tells of those with another state dir."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("", port))
        except OSError as error:
            raise AgentRunsError(
                f"cleanup: UDP port {port} is taken, so an agent runs on this machine; stop it first (systemctl stop "
                "vipa-agent; in a cluster remove the node from the DaemonSet). Nothing was touched"
            ) from error
        lock = _lock(state_dir)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)


def _lock(state_dir: Path) -> int | None:
    try:
        lock = os.open(state_dir / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # no agent was ever here
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise AgentRunsError(
            f"cleanup: an agent holds {state_dir / LOCK_NAME}; stop it first. Nothing was touched"
        ) from error
    return lock
