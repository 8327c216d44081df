"""Notify hooks as they are: programs and servers that do well, fail, hang, are missing, or never stop talking."""

import asyncio
import http.server
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from structlog.testing import capture_logs

from vipa_agent import hookprocess
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


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes a shell script of these lines; $OUT is this test's folder."""

    def make(lines: str) -> str:
        path = tmp_path / f"hook{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!/bin/sh\nOUT={tmp_path}\n{lines}\n")
        path.chmod(0o755)
        return str(path)

    return make


def one_event(count: int = 1, changes: dict[str, object] | None = None) -> Play:
    """Tell it, and wait until every hook is done with it."""

    async def act(hooks: HookProcess, counts: Counts) -> None:
        hooks.tell(EVENT | (changes or {}))
        await until(lambda: counts.total() == count)

    return act


def test_a_program_gets_keepalived_s_words_an_environment_and_json(
    script: Callable[[str], str], tmp_path: Path
) -> None:
    hook = script('echo "$@" >$OUT/words; env >$OUT/env; cat >$OUT/json; echo chatter')
    counts, logs = play(HookSettings((hook,)), one_event())
    assert counts.of == {(hook, "done"): 1}
    assert logs == []
    assert (tmp_path / "words").read_text() == "INSTANCE erp MASTER 253\n"
    assert json.loads((tmp_path / "json").read_text()) == EVENT
    environment = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert {name: text for name, text in environment.items() if name.startswith("VIPA_")} == {
        "VIPA_TIME": "2026-01-02T03:04:05.678Z",
        "VIPA_NODE": "w1",
        "VIPA_VIP": "erp",
        "VIPA_ADDRESSES": "10.1.1.7 2001:db8::7",
        "VIPA_FROM": "Spare",
        "VIPA_TO": "Holder",
        "VIPA_FROM_INTERFACE": "",
        "VIPA_INTERFACE": "eth1",
        "VIPA_REASON": "HolderSilent",
        "VIPA_TERM": "3",
        "VIPA_PLACE": "2",
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": "Spare", "place": 1}, "INSTANCE erp BACKUP 254"),
        ({"to": "Excluded", "place": 999}, "INSTANCE erp FAULT 1"),
        ({"to": "Idle", "reason": "Shutdown"}, "INSTANCE erp STOP 253"),
        ({"to": "Idle", "reason": "PlanRemoved", "place": 0}, "INSTANCE erp DELETED 0"),
    ],
)
def test_roles_in_keepalived_s_words(
    script: Callable[[str], str], tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    play(HookSettings((script('echo "$@" >$OUT/words'),)), one_event(1, changes))
    assert (tmp_path / "words").read_text() == words + "\n"


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


@pytest.fixture
def serve() -> Iterator[Callable[[int], Server]]:
    made: list[Server] = []

    def make(code: int) -> Server:
        made.append(Server(code))
        return made[-1]

    yield make
    for server in made:
        server.close()


def test_a_webhook_gets_the_same_json(serve: Callable[[int], Server]) -> None:
    server = serve(204)
    counts, logs = play(HookSettings((), (f"{server.url}/hooks/secret?token=1",)), one_event())
    assert counts.of == {(server.url, "done"): 1}
    assert server.got == [("/hooks/secret?token=1", "application/json", EVENT)]
    assert logs == []


def test_webhooks_that_refuse_hang_or_are_not_there(serve: Callable[[int], Server]) -> None:
    refuses, hangs = serve(503), serve(0)
    urls = (f"{refuses.url}/secret", f"{hangs.url}/secret", "http://127.0.0.1:1/secret")
    counts, logs = play(HookSettings((), urls, 1.0), one_event(3))
    assert counts.of[refuses.url, "failed"] == 1
    assert counts.of[hangs.url, "failed"] + counts.of[hangs.url, "timeout"] == 1
    assert counts.of["http://127.0.0.1:1", "failed"] == 1
    details = {str(line["hook"]): str(line["detail"]) for line in logs}
    assert "HTTP 503" in details[refuses.url]
    assert "refused" in details["http://127.0.0.1:1"]
    assert "secret" not in str(logs)


def test_a_program_that_is_missing_or_fails_is_counted_and_said(script: Callable[[str], str], tmp_path: Path) -> None:
    fails = script("echo no such database >&2; exit 1")
    missing = str(tmp_path / "missing")
    counts, logs = play(HookSettings((fails, missing)), one_event(2))
    assert counts.of == {(fails, "failed"): 1, (missing, "failed"): 1}
    at_start, *later = logs
    assert (at_start["event"], at_start["program"]) == ("notify program cannot be run, as it is now", missing)
    details = {str(line["hook"]): str(line["detail"]) for line in later}
    assert details[fails] == "exit code 1: no such database"
    assert "No such file or directory" in details[missing]


def test_a_hook_that_hangs_is_killed_with_what_it_started(script: Callable[[str], str], tmp_path: Path) -> None:
    hook = script("sleep 1000 & echo $! >$OUT/pid; wait")
    began = time.monotonic()
    counts, logs = play(HookSettings((hook,), (), 0.5), one_event())
    assert counts.of == {(hook, "timeout"): 1}
    assert "not done after 0.5 s: killed" in str(logs[0]["detail"])
    assert time.monotonic() - began >= 0.5
    assert not alive(int((tmp_path / "pid").read_text()))


def test_one_after_the_other_per_virtual_ip_and_others_do_not_wait(
    script: Callable[[str], str], tmp_path: Path
) -> None:
    hook = script("test $VIPA_VIP = slow && sleep 0.2; echo $VIPA_VIP $VIPA_TERM >>$OUT/order")

    async def act(hooks: HookProcess, counts: Counts) -> None:
        for term in range(3):
            hooks.tell(EVENT | {"vip": "slow", "term": term})
        hooks.tell(EVENT | {"vip": "quick", "term": 9})
        await until(lambda: counts.total() == 4)

    play(HookSettings((hook,)), act)
    order = (tmp_path / "order").read_text().splitlines()
    assert [line for line in order if "slow" in line] == ["slow 0", "slow 1", "slow 2"]
    assert order.index("quick 9") < 2


def test_a_flood_of_events_before_a_hanging_hook_is_bounded_and_counted(script: Callable[[str], str]) -> None:
    events = 3 * hookprocess.WAITING_MAX
    hook = script("sleep 1000")

    async def act(hooks: HookProcess, counts: Counts) -> None:
        slowest_s = 0.0
        for number in range(events):
            began = time.monotonic()
            hooks.tell(EVENT | {"vip": f"v{number}"})
            slowest_s = max(slowest_s, time.monotonic() - began)
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert slowest_s < 5.0, "a call that waited for the hook would wait for good"
        await until(lambda: counts.total("dropped") >= events - 2 * hookprocess.WAITING_MAX - 8)

    counts, logs = play(HookSettings((hook,)), act)
    assert counts.total("dropped") >= hookprocess.WAITING_MAX
    assert counts.total() <= events
    assert any(line.get("result") == "dropped" for line in logs)


def test_a_hook_that_never_stops_talking(script: Callable[[str], str]) -> None:
    hook = script("yes; true")
    loud = script("yes >&2")
    counts, logs = play(HookSettings((hook, loud), (), 0.5), one_event(2))
    assert counts.total("timeout") == 2
    assert max(len(str(line["detail"])) for line in logs) < 500


def test_orphans_of_a_hook_live_on_and_leave_no_zombies(script: Callable[[str], str], tmp_path: Path) -> None:
    hook = script("sleep 0.3 >/dev/null 2>&1 & echo $! >$OUT/pid")

    async def act(hooks: HookProcess, counts: Counts) -> None:
        hooks.tell(EVENT)
        await until(lambda: counts.total("done") == 1)
        orphan = int((tmp_path / "pid").read_text())
        await until(lambda: not Path(f"/proc/{orphan}").exists())

    play(HookSettings((hook,)), act)


def test_the_end_is_bounded_whatever_hangs(script: Callable[[str], str], tmp_path: Path) -> None:
    hook = script("echo $$ >$OUT/pid; sleep 1000")

    async def run() -> None:
        hooks = HookProcess(HookSettings((hook,)), Counts())
        hooks.tell(EVENT)
        await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        began = time.monotonic()
        await hooks.close(0.3)
        assert time.monotonic() - began < 5
        await until(lambda: children() == [])
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: not alive(pid))

    asyncio.run(run())


def test_the_end_waits_for_events_told_just_before(script: Callable[[str], str], tmp_path: Path) -> None:
    hook = script("sleep 0.1; echo $VIPA_VIP >>$OUT/told")

    async def run() -> None:
        hooks = HookProcess(HookSettings((hook,)), Counts())
        for name in "abc":
            hooks.tell(EVENT | {"vip": name})
        await hooks.close(PATIENCE_S)

    asyncio.run(run())
    assert sorted((tmp_path / "told").read_text().split()) == ["a", "b", "c"]


def test_a_runner_that_somebody_killed_is_said_once_and_its_events_are_counted(
    script: Callable[[str], str],
) -> None:
    hook = script("true")

    async def act(hooks: HookProcess, counts: Counts) -> None:
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: children() == [])
        for _ in range(3):
            hooks.tell(EVENT)

    counts, logs = play(HookSettings((hook,)), act)
    assert counts.of == {(hook, "dropped"): 3}
    assert [line["event"] for line in logs] == [
        "the hook runner is gone: no notify hook is called until the agent is started again"
    ]


AGENT = """
import asyncio, sys
from vipa_agent.hookprocess import HookProcess
from vipa_agent.hooksettings import HookSettings

class Counts:
    def notifications(self, hook, result, count=1): ...

async def run():
    hooks = HookProcess(HookSettings((sys.argv[1],)), Counts())
    hooks.tell({event})
    await asyncio.sleep(1000)

asyncio.run(run())
"""


def test_when_the_agent_is_killed_runner_and_hooks_end_too(script: Callable[[str], str], tmp_path: Path) -> None:
    hook = script("echo $$ $PPID >$OUT/pids; sleep 1000")

    async def run() -> None:
        agent = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT.format(event=EVENT), hook)
        try:
            await until(lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 2)
        finally:
            agent.kill()
            await agent.wait()
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        await until(lambda: not any(map(alive, pids)))

    asyncio.run(run())
