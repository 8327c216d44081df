"""``python -m vipa_agent.hooks``: runs an agent's notify hooks, in a process apart from it.

Apart, because starting a program stops the whole interpreter until the program is loaded, be it from a dead network
file system, and an agent that stands still for a permit's life loses its virtual IPs. The agent is on standard input, a
SOCK_SEQPACKET socket: events in, counts of what became of them out, all in JSON. Everything is bounded: events that
wait (the oldest are dropped), calls at a time, and the time of each, after which it is killed with all of its session.
Per hook and virtual IP one call follows the other, so that what a hook hears last is how it is. The runner ends with
its agent.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from vipa_agent.hookcall import Hook, become, hooks_of

WAITING_MAX: Final = 4096
"""Events that wait for a hook: 2,000 virtual IPs that leave and come back."""
CALLS_MAX: Final = 4
"""Calls of a hook at a time, each for another virtual IP: hooks must not take the processors from the agent."""
FAREWELL_S: Final = 0.3
"""What calls under way may still take when the agent is gone without a word."""
STDERR_MAX: Final = 300
"""So much of what a failing hook says is told on."""
NICE: Final = 10
"""Below the agent: what is left of the processors."""

_PR_SET_CHILD_SUBREAPER: Final = 36
_RETRY_S: Final = 0.2
_READ_BYTES: Final = 1 << 16


@dataclass(slots=True, eq=False)
class Call:
    """A child at work. ``stderr``: read end of its pipe, -1 when that has ended."""

    pid: int
    hook: Hook
    vip: str
    ends_at: float
    stderr: int
    said: bytes = b""
    killed: bool = False


@dataclass(slots=True, eq=False)
class Line:
    """One hook's events that wait, and its calls under way."""

    hook: Hook
    waiting: deque[tuple[str, bytes]] = field(default_factory=deque)
    busy: set[str] = field(default_factory=set)

    def next(self) -> tuple[str, bytes] | None:
        """The oldest event that may go now, taken out."""
        if len(self.busy) >= CALLS_MAX:
            return None
        for index, (vip, body) in enumerate(self.waiting):
            if vip not in self.busy:
                del self.waiting[index]
                return vip, body
        return None


class Runner:
    """``run`` returns when the agent is gone and its last events are done with, or their time is up."""

    def __init__(self, agent: socket.socket, hooks: list[Hook], timeout_s: float) -> None:
        agent.setblocking(False)
        self._agent = agent
        self._timeout_s = timeout_s
        self._lines = {hook: Line(hook) for hook in hooks}
        self._calls: dict[int, Call] = {}
        self._news: dict[tuple[str, str], list[Any]] = {}
        self._end_at: float | None = None
        self._woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """See class."""
        while self._busy():
            for line in self._lines.values():
                while (one := line.next()) is not None:
                    self._start(line, *one)
            self._tell()
            self._wait()
            self._reap()
            self._hurry()
        for call in self._calls.values():
            _kill(call.pid)
            self._note(call.hook, "timeout", call.vip, "not done when the agent ended: killed")
        for line in self._lines.values():
            if line.waiting:
                self._note(line.hook, "dropped", "", "the agent ends", len(line.waiting))
        self._tell()

    def _busy(self) -> bool:
        if self._end_at is None:
            return True
        left = any(line.waiting for line in self._lines.values()) or bool(self._calls)
        return left and time.monotonic() < self._end_at

    # --- waiting

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if self._end_at is None:
            poll.register(self._agent, select.POLLIN)
        by_fd = {call.stderr: call for call in self._calls.values() if call.stderr >= 0}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        ends = [call.ends_at for call in self._calls.values()]
        if self._end_at is not None:
            ends.append(self._end_at)
        if self._news:
            ends.append(time.monotonic() + _RETRY_S)
        left_s = max(min(ends, default=float("inf")) - time.monotonic(), 0.0)
        for fd, _ in poll.poll(None if left_s == float("inf") else left_s * 1000 + 1):
            if fd in by_fd:
                _listen(by_fd[fd])
            elif fd == self._woken:
                os.read(self._woken, _READ_BYTES)
            else:
                self._hear()

    def _hear(self) -> None:
        """All that the agent has said."""
        while self._end_at is None:
            try:
                message = self._agent.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            event: dict[str, Any] = json.loads(message) if message else {"finish_s": FAREWELL_S}
            if "finish_s" in event:
                self._end_at = time.monotonic() + event["finish_s"]
                return
            for line in self._lines.values():
                line.waiting.append((event["vip"], message))
                if len(line.waiting) > WAITING_MAX:
                    vip, _ = line.waiting.popleft()
                    self._note(line.hook, "dropped", vip, f"more than {WAITING_MAX} events wait")

    # --- calls

    def _start(self, line: Line, vip: str, body: bytes) -> None:
        parent = os.getpid()
        with ExitStack() as closing:
            stderr = -1
            try:
                stdin = _pipe(closing, body)
                stderr, child_stderr = os.pipe2(os.O_CLOEXEC)
                closing.callback(os.close, child_stderr)
                os.set_blocking(stderr, False)
                pid = os.fork()
            except OSError as error:
                if stderr >= 0:
                    os.close(stderr)
                self._note(line.hook, "failed", vip, f"cannot be started: {error.strerror}")
                return
            if pid == 0:
                become(line.hook, body, stdin, child_stderr, self._timeout_s, parent)
        line.busy.add(vip)
        self._calls[pid] = Call(pid, line.hook, vip, time.monotonic() + self._timeout_s, stderr)

    def _reap(self) -> None:
        """Our children, and orphans of theirs: nobody stays a zombie, in a container without an init either."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (call := self._calls.pop(pid, None)) is not None:
                self._lines[call.hook].busy.discard(call.vip)
                self._over(call, os.waitstatus_to_exitcode(status))

    def _over(self, call: Call, code: int) -> None:
        if call.stderr >= 0:
            _listen(call)
        if call.stderr >= 0:
            os.close(call.stderr)
        words = " ".join(call.said.decode(errors="replace").split())[:STDERR_MAX]
        if call.killed:
            self._note(call.hook, "timeout", call.vip, f"not done after {self._timeout_s:g} s: killed")
        elif code == 0:
            self._note(call.hook, "done", call.vip, "")
        else:
            how = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
            self._note(call.hook, "failed", call.vip, f"{how}: {words}" if words else how)

    def _hurry(self) -> None:
        now = time.monotonic()
        for call in self._calls.values():
            if now >= call.ends_at and not call.killed:
                call.killed = True
                call.ends_at = float("inf")
                _kill(call.pid)

    # --- news for the agent

    def _note(self, hook: Hook, result: str, vip: str, detail: str, count: int = 1) -> None:
        news = self._news.setdefault((hook.name, result), [0, "", ""])
        news[0] += count
        news[1:] = vip, detail

    def _tell(self) -> None:
        """Counts, and the latest case of each; what does not fit is told later, in one sum."""
        for (hook, result), (count, vip, detail) in list(self._news.items()):
            message = {"hook": hook, "result": result, "count": count, "vip": vip, "detail": detail}
            try:
                self._agent.send(json.dumps(message).encode())
            except BlockingIOError:
                return
            except OSError:  # the agent is gone: nobody wants to know
                self._news.clear()
                return
            del self._news[hook, result]


def _pipe(closing: ExitStack, content: bytes) -> int:
    """Read end of a pipe that holds ``content``, far less than a pipe can, and then ends."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    closing.callback(os.close, reading)
    try:
        os.write(writing, content)
    finally:
        os.close(writing)
    return reading


def _kill(pid: int) -> None:
    """A call and all of its session. Ours and not reaped, so the number is nobody else's."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # the group is not there before the child has made it
            continue


def _listen(call: Call) -> None:
    try:
        said = os.read(call.stderr, _READ_BYTES)
    except BlockingIOError:
        return
    if len(call.said) < STDERR_MAX:
        call.said += said
    if not said:
        os.close(call.stderr)
        call.stderr = -1


def main() -> None:
    """Entry point; the one argument is JSON: programs, urls, timeout_s."""
    given = json.loads(sys.argv[1])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # it ends with its agent, not beside it
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with suppress(PermissionError):  # a unit may forbid every change of it
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.nice(NICE)
    if given["urls"]:
        import urllib.request  # noqa: F401  # now, and not in each child
    Runner(socket.socket(fileno=0), hooks_of(given["programs"], given["urls"]), given["timeout_s"]).run()


if __name__ == "__main__":
    main()
