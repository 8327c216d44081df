"""Notify hooks that hang, flood or never stop talking; runners and agents that end: bounded, counted, nothing left."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.fakes.hooks import EVENT, PATIENCE_S, Counts, alive, children, one_event, play, scripts, until
from vipa_agent import hookprocess
from vipa_agent.hookprocess import HookProcess
from vipa_agent.hooksettings import HookSettings


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes a shell script of these lines; $OUT is this test's folder."""
    return scripts(tmp_path)


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
        counts = Counts()
        hooks = HookProcess(HookSettings((hook,)), counts)
        for _ in range(3):
            hooks.tell(EVENT)
        await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        began = time.monotonic()
        await hooks.close(0.3)
        assert time.monotonic() - began < 5
        await until(lambda: children() == [])
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: not alive(pid))
        assert counts.of == {(hook, "timeout"): 1, (hook, "dropped"): 2}, "every event is accounted for"

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
