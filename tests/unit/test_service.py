"""What a service manager hears of the agent, and when it hears nothing."""

import asyncio
import os
import socket
import time
from pathlib import Path

import pytest

from vipa_agent.service import HOLD_S, READY, Service


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Its end of the socket, as $NOTIFY_SOCKET says."""
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(20)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return heard


def test_ready_is_told_and_programs_that_are_started_cannot(manager: socket.socket) -> None:
    with manager:
        Service().tell(READY)
        assert manager.recv(100) == b"READY=1"
    assert "NOTIFY_SOCKET" not in os.environ


def test_signs_of_life_come_more_often_than_asked_for(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    service = Service()
    assert service.ping_s == pytest.approx(0.05)

    async def run() -> None:
        pings = asyncio.create_task(service.pings())
        for _ in range(3):
            assert await asyncio.to_thread(manager.recv, 100) == b"WATCHDOG=1"
        pings.cancel()

    with manager:
        asyncio.run(run())


def test_signs_of_life_asked_of_another_process_are_not_given(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    with manager:
        asyncio.run(asyncio.wait_for(Service().pings(), 20))


def test_an_abstract_socket_one_that_is_gone_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"\0vipa-test-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@vipa-test-{os.getpid()}")
        service = Service()
        service.tell("STATUS=x")
        assert heard.recv(100) == b"STATUS=x"
    service.tell("STATUS=y")  # nobody listens any more
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Service().tell("READY=1")


def test_an_agent_that_cannot_begin_is_not_started_again_and_again_at_once(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager:
        service, began = Service(), time.monotonic()
        service.hold()
        assert time.monotonic() - began >= HOLD_S
        service.tell(READY)
        began = time.monotonic()
        service.hold()
        assert time.monotonic() - began < HOLD_S, "one that served is to be back before its permits end"
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    began = time.monotonic()
    Service().hold()
    assert time.monotonic() - began < HOLD_S, "a person at a terminal waits for nothing"
