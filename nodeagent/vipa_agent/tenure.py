"""One agent serves a node at a time; the next one takes over without a gap (rule 8).

The lock ``agent.lock`` in the state dir says who serves: the kernel frees it when its holder ends, however it ends. A
new agent that finds it taken asks the one before, over ``upgrade.sock``, to yield: that one stops without touching what
the kernel serves, frees the lock and says so, and the new one adopts within the life of the permits.

    new                                   old
     │ lock: taken                         │ serves
     ├──── "yield" ───────────────────────►│ waits for moves under way, renews permits, stops, frees the lock
     │◄──────────────────────── "yours" ───┤
     │ lock, adopt, serve                  │ retired: waits for SIGTERM, or for the lock to be free again

The old one does not exit: a DaemonSet would start it again, and the two would chase each other. When the new one ends
before the old one's pod is gone (it crashed, the rollout was undone), the lock is free and the old one serves again.
An old one that does not answer is frozen or hung: nothing may serve beside it, for once thawed it would revoke what it
takes for its own. Its permits end by themselves, and other nodes take over meanwhile.

Two agents with two state dirs do not see each other's lock, and would take each other's tables away: a name in the
network namespace (unix(7), abstract) keeps the second from starting.
"""

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from vipa.errors import ConfigError
from vipa_agent.status import listen_at

log = structlog.get_logger()

LOCK_NAME: Final = "agent.lock"
UPGRADE_NAME: Final = "upgrade.sock"

ABSTRACT_NAME: Final = "\0vipa-agent"

OTHER_TRIES: Final = 5
"""Looks at the name that another one has: one that ends frees its lock a moment before it."""
YIELD_S: Final = 4.0
"""How long the one before may take to yield: a second for moves under way, and an fsync on a slow disk."""
LOOK_S: Final = 0.2
"""Between looks at a lock that nobody yields."""
RESUME_S: Final = 0.5
"""Between a retired agent's looks at the lock: well below the time in which anybody starts a crashed agent again."""

_YIELD, _YOURS = b"yield\n", b"yours\n"


class Tenure:
    """The right to serve, held from :meth:`acquire` to :meth:`release`."""

    def __init__(self, state_dir: Path) -> None:
        self._lock = state_dir / LOCK_NAME
        self._upgrade = state_dir / UPGRADE_NAME
        self._fd: int | None = None
        self._name: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._yielded = asyncio.Event()
        self._answered = asyncio.Event()
        self._answered.set()

    async def acquire(self) -> None:
        """Wait until no other agent serves, asking the one that does to yield. A state dir without locks (read-only)
        is said, and done without. ConfigError when one with another state dir serves."""
        await self._acquire_lock()
        tries = OTHER_TRIES
        while not self._try_name():
            if not (tries := tries - 1):
                raise ConfigError(
                    f"--state-dir: an agent with another one than {self._lock.parent} serves this machine; there can "
                    "be only one: stop it, or give both the same to have this one take over"
                )
            await asyncio.sleep(LOOK_S)

    async def _acquire_lock(self) -> None:
        said = False
        while not self._try_lock():
            answer = await asyncio.to_thread(_ask, self._upgrade)
            if answer and self._try_lock():
                log.info("the agent before has yielded")
                return
            if not said:
                log.warning("another agent serves this node and does not yield yet", lock=str(self._lock))
                said = True
            await asyncio.sleep(LOOK_S)

    async def free(self) -> bool:
        """Wait, retired, until the successor is gone (True), or SIGTERM or SIGINT come (False)."""
        over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        while not over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), RESUME_S)
            if not over.is_set() and self._try_lock():
                log.warning("the agent after this one is gone: serving again")
                await self.release()
                return True
        return False

    async def offer(self, asked: Callable[[], None]) -> None:
        """Listen for a successor; ``asked`` is called, on the loop, when one wants to take over."""
        if self._fd is None:
            return

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._answered.clear()
            try:
                async with asyncio.timeout(YIELD_S):
                    if await reader.readline() == _YIELD:
                        asked()
                        await self._yielded.wait()
                        writer.write(_YOURS)
                        await writer.drain()
            except (OSError, TimeoutError) as error:
                log.warning("successor not answered", detail=str(error))
            finally:
                writer.close()
                self._answered.set()

        try:
            sock, _ = listen_at(self._upgrade)
            self._server = await asyncio.start_unix_server(answer, sock=sock)
        except OSError as error:
            log.warning("no successor can be answered", detail=str(error))

    async def release(self) -> None:
        """Free the lock, and tell the successor, if one waits."""
        if self._name is not None:
            self._name.close()
            self._name = None
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        self._yielded.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), 0.5)

    def _try_name(self) -> bool:
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(ABSTRACT_NAME)
        except OSError:
            name.close()
            return False
        self._name = name
        return True

    def _try_lock(self) -> bool:
        try:
            self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            log.warning("no lock: a second agent on this node would not be noticed", detail=str(error))
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True


def _ask(path: Path) -> bool:
    """Whether the agent that listens at ``path`` has yielded."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(YIELD_S)
            sock.connect(str(path))
            sock.sendall(_YIELD)
            return sock.recv(len(_YOURS)) == _YOURS
    except OSError:
        return False
