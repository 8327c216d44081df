"""The agent's side of its hook runner: started once, before anything is served; told without ever waiting.

What the runner's socket does not take at once waits here, bounded: the oldest are dropped and counted. A runner that is
gone (somebody killed it) is not started again, for starting a program could stop the loop: its events are counted as
dropped, and the log says so.
"""

import asyncio
import json
import os
import signal
import socket
from collections import deque
from typing import Any, Final, Protocol

import structlog

from vipa_agent.child import spawn
from vipa_agent.hookcall import hooks_of
from vipa_agent.hooksettings import HookSettings

log = structlog.get_logger()

WAITING_MAX: Final = 4096
"""Events, some 400 bytes each: 2,000 virtual IPs that leave and come back."""
SAY_EVERY_S: Final = 1.0
"""Of a hook that keeps failing the log says so often; the metric counts each."""

REAP_S: Final = 0.1
"""For a runner whose time is up to end its calls and itself."""

_READS_MAX: Final = 32
_READ_BYTES: Final = 1 << 16


class Counts(Protocol):
    """Of the metrics what hooks need."""

    def notifications(self, hook: str, result: str, count: int = 1) -> None:
        """``count`` events for ``hook`` ended so: done, failed, timeout, dropped."""


class HookProcess:
    """To be made while nothing is served yet: starting a process takes milliseconds of the loop. OSError when it
    cannot be started."""

    def __init__(self, settings: HookSettings, counts: Counts) -> None:
        self._hooks = hooks_of(settings.programs, settings.urls)
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._said: dict[tuple[str, str], float] = {}
        self._gone = asyncio.Event()
        self._closing = False
        for program in settings.programs:
            if not os.access(program, os.X_OK):
                log.warning("notify program cannot be run, as it is now", program=program)
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._socket.setblocking(False)
            self._pid = _spawn(settings, theirs.fileno())
        self._pidfd = os.pidfd_open(self._pid)
        self._loop.add_reader(self._socket, self._readable)
        self._loop.add_reader(self._pidfd, self._ended)

    def tell(self, event: dict[str, Any]) -> None:
        """One event to every hook; returns at once."""
        message = json.dumps(event, ensure_ascii=False).encode()
        if self._gone.is_set():
            self._dropped()
        elif self._waiting or not self._send(message):
            self._waiting.append(message)
            if len(self._waiting) > WAITING_MAX:
                self._waiting.popleft()
                self._dropped()
            self._loop.add_writer(self._socket, self._writable)

    async def close(self, within_s: float) -> None:
        """No more events. Wait until the hooks have done with those told before, at most ``within_s``; what is still
        at work then is killed."""
        self.leave(within_s)
        try:
            await asyncio.wait_for(self._gone.wait(), within_s + REAP_S)
        except TimeoutError:
            os.kill(self._pid, signal.SIGKILL)  # not reaped yet, so the number is its own

    def leave(self, within_s: float) -> None:
        """No more events; the runner does what it was told, and ends when that is done, or after ``within_s``."""
        self._closing = True
        if self._gone.is_set():
            return
        self._writable()
        if self._waiting or not self._send(json.dumps({"finish_s": within_s}).encode()):
            self._socket.shutdown(socket.SHUT_WR)

    # --- the socket

    def _send(self, message: bytes) -> bool:
        try:
            self._socket.send(message)
        except BlockingIOError:
            return False
        except OSError:  # the runner is gone: _ended says so in a moment
            self._dropped()
        return True

    def _writable(self) -> None:
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
        if not self._waiting:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        for _ in range(_READS_MAX):
            try:
                message = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._loop.remove_reader(self._socket)
                return
            self._news(**json.loads(message))

    def _news(self, hook: str, result: str, count: int, vip: str, detail: str) -> None:
        self._counts.notifications(hook, result, count)
        now = self._loop.time()
        if result != "done" and now - self._said.get((hook, result), float("-inf")) >= SAY_EVERY_S:
            self._said[hook, result] = now
            log.warning("notify hook", hook=hook, result=result, vip=vip, detail=detail, count=count)

    def _dropped(self) -> None:
        for hook in self._hooks:
            self._counts.notifications(hook.name, "dropped")

    # --- the process

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self._readable()
        os.waitpid(self._pid, 0)  # ended, as its descriptor says: does not wait
        os.close(self._pidfd)
        for _ in self._waiting:
            self._dropped()
        self._waiting.clear()
        self._loop.remove_writer(self._socket)
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._gone.set()
        if not self._closing:
            log.error("the hook runner is gone: no notify hook is called until the agent is started again")


def _spawn(settings: HookSettings, socket_fd: int) -> int:
    given = {"programs": settings.programs, "urls": settings.urls, "timeout_s": settings.timeout_s}
    return spawn("vipa_agent.hooks", [json.dumps(given)], socket_fd)
