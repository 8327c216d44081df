"""The status socket: who connects to ``agent.sock`` in the state dir gets one JSON document, and the end.

Only the agent's own user may connect (mode 0600). During an upgrade the new agent's socket takes the place of the old
one's in one step; the old one leaves it alone when it stops.
"""

import asyncio
import contextlib
import errno
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec

SOCKET_NAME: Final = "agent.sock"

ASKERS_MAX: Final = 16
"""Answers under way at a time; more are closed unanswered."""

SLOW_S: Final = 2.0
"""Time an asker has to take the document (2,000 VIPs: about half a megabyte)."""

_PATH_BYTES_MAX: Final = 107
"""Longest path of a unix socket: sun_path of unix(7) less its closing zero."""


class StatusError(Exception):
    """The status cannot be offered or read; the message says why, and what would help."""


class StatusServer:
    """Answers on the event loop it was started on. ``document`` is called for each asker, and waited for if it takes
    turns with the loop."""

    def __init__(self, state_dir: Path, document: Callable[[], object | Awaitable[object]]) -> None:
        self._path = state_dir / SOCKET_NAME
        self._document = document
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._asking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to answer; a missing state dir is made. StatusError: that is read-only, full, or its path too long."""
        try:
            sock, self._inode = listen_at(self._path)
            self._server = await asyncio.start_unix_server(self._answer, sock=sock, backlog=ASKERS_MAX)
        except OSError as error:
            raise StatusError(f"cannot offer status at {self._path}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Stop answering, and remove the socket if it is still this agent's."""
        if self._server is None:
            return
        self._server.close()
        for task in self._asking:
            task.cancel()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._asking) >= ASKERS_MAX:
            writer.transport.abort()
            return
        self._asking.add(task)
        try:
            document = self._document()
            if isinstance(document, Awaitable):
                document = await document
            writer.write(msgspec.json.encode(document) + b"\n")
            writer.close()
            async with asyncio.timeout(SLOW_S):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            writer.close()
            self._asking.discard(task)


def read_status(state_dir: Path, timeout_s: float = 3.0, program: str = "vipa-agent") -> dict[str, Any]:
    """Ask the agent, or another ``program`` of ours, whose state dir this is. StatusError when none runs there, or it
    does not answer in time."""
    path = state_dir / SOCKET_NAME
    chunks: list[bytes] = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout_s)
            sock.connect(_addressable(path))
            while chunk := sock.recv(1 << 16):
                chunks.append(chunk)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise StatusError(f"no {program} runs with state dir {state_dir} (see its --state-dir)") from error
    except PermissionError as error:
        raise StatusError(f"not allowed to ask {program} at {path}: ask as the user it runs as (root?)") from error
    except TimeoutError as error:
        raise StatusError(
            f"{program} at {path} did not answer within {timeout_s:g} s: it hangs or is stopped"
        ) from error
    except OSError as error:
        raise StatusError(f"cannot ask {program} at {path}: {error.strerror or error}") from error
    try:
        document = json.loads(b"".join(chunks))
    except ValueError as error:
        raise StatusError(f"{program} at {path} broke off its answer: it is stopping or asked by too many") from error
    if not isinstance(document, dict):
        raise StatusError(f"what answers at {path} is no {program}")
    return document


def pid_namespace() -> int:
    """Which processes this one can see: two containers of one node differ in it, so a probe can tell whether the agent
    that answers is its own."""
    return os.stat("/proc/self/ns/pid").st_ino


def listen_at(path: Path) -> tuple[socket.socket, int]:
    """A socket bound to ``path``, in the place of whatever was there, for this user alone; and its file's inode.
    A missing folder is made. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return sock, _bind(sock, path)
    except OSError:
        sock.close()
        raise


def _bind(sock: socket.socket, path: Path) -> int:
    """Bind under a passing name, then rename: an asker finds the old agent or the new one, never none. Returns the
    socket file's inode."""
    passing = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        passing.unlink()
    os.fchmod(sock.fileno(), 0o600)  # before bind: the file never has another mode
    sock.bind(_addressable(passing))
    inode = passing.stat().st_ino
    passing.rename(path)
    return inode


def _addressable(path: Path) -> str:
    if len(os.fsencode(path)) > _PATH_BYTES_MAX:
        raise OSError(
            errno.ENAMETOOLONG, f"a socket's path has at most {_PATH_BYTES_MAX} bytes: use a shorter state dir"
        )
    return str(path)
