"""Hooks for tests: a runner to tell of events, and what became of them; a server for webhooks."""

import asyncio
import http.server
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from structlog.testing import capture_logs

from vipa_agent.hookprocess import HookProcess
from vipa_agent.hooksettings import HookSettings

PATIENCE_S: Final = 30.0
"""Hooks end within a second; a starved machine may take longer, but not for ever."""
EVENT: Final = {
    "time": "2026-01-02T03:04:05.678Z",
    "node": "w1",
    "vip": "erp",
    "addresses": ["10.1.1.7", "2001:db8::7"],
    "from": "Spare",
    "to": "Holder",
    "fromInterface": "",
    "interface": "eth1",
    "reason": "HolderSilent",
    "term": 3,
    "place": 2,
}


class Counts:
    """Results by (hook, result)."""

    def __init__(self) -> None:
        self.of: Counter[tuple[str, str]] = Counter()

    def notifications(self, hook: str, result: str, count: int = 1) -> None:
        self.of[hook, result] += count

    def total(self, *results: str) -> int:
        return sum(count for (_, result), count in self.of.items() if result in results or not results)


Play = Callable[[HookProcess, Counts], Awaitable[None]]


def play(settings: HookSettings, act: Play) -> tuple[Counts, list[dict[str, Any]]]:
    """Run ``act`` with a runner; the counts, and what was logged. Nothing of it is left afterwards."""
    counts = Counts()

    async def run() -> None:
        hooks = HookProcess(settings, counts)
        try:
            await act(hooks, counts)
        finally:
            await hooks.close(0.5)
            await until(lambda: children() == [])

    with capture_logs() as logs:
        asyncio.run(run())
    return counts, [dict(line) for line in logs]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.01)


def children() -> list[int]:
    """Processes of this one's, zombies too."""
    found = Path("/proc/thread-self/children").read_text().split()
    return [int(pid) for pid in found]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def one_event(count: int = 1, changes: dict[str, object] | None = None) -> Play:
    """Tell it, and wait until every hook is done with it."""

    async def act(hooks: HookProcess, counts: Counts) -> None:
        hooks.tell(EVENT | (changes or {}))
        await until(lambda: counts.total() == count)

    return act


def scripts(folder: Path) -> Callable[[str], str]:
    """Makes shell scripts of these lines; $OUT is ``folder``."""

    def make(lines: str) -> str:
        path = folder / f"hook{len(list(folder.iterdir()))}"
        path.write_text(f"#!/bin/sh\nOUT={folder}\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return make


class Server:
    """Takes POSTs on loopback and answers with ``code``, or never."""

    def __init__(self, code: int) -> None:
        self.got: list[tuple[str, str, Any]] = []
        self.release = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.got.append((self.path, self.headers["Content-Type"], body))
                if not code:
                    outer.release.wait(PATIENCE_S)
                    return
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
