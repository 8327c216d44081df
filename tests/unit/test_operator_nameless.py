"""The operator's container runs as a user that no passwd file knows."""

import asyncio
import pwd
import threading

import kopf
import pytest

from vipa.errors import ConfigError
from vipa_operator.watching import Watching

WAIT_S = 30.0


def test_watching_begins_for_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    asked = threading.Event()

    def login() -> kopf.ConnectionInfo:
        asked.set()
        raise ConfigError("there is no API server in this test")

    async def begin() -> None:
        watching = Watching(login, lambda kind, event, raw: None)
        watching.start()
        ended = asyncio.create_task(watching.ended())
        came = asyncio.create_task(asyncio.to_thread(asked.wait, WAIT_S))
        await asyncio.wait((ended, came), return_when=asyncio.FIRST_COMPLETED)
        try:
            assert not ended.done(), ended.exception()
            assert asked.is_set(), f"no login within {WAIT_S:g} s"
        finally:
            asked.set()
            ended.cancel()
            await watching.stop()

    asyncio.run(begin())
