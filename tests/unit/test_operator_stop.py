"""Watching ends when asked to, wherever it is."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import kopf
import pytest

from vipa.errors import ConfigError
from vipa_operator import watching as module
from vipa_operator.watching import Watching

SOON_S: Final = 4.0
"""kopf waits 5 s for what does not end by itself."""
WAIT_S: Final = 30.0


def nobody_knows() -> kopf.ConnectionInfo:
    raise ConfigError("there is no API server in this test")


def nobody_listens() -> kopf.ConnectionInfo:
    return kopf.ConnectionInfo(server="http://127.0.0.1:1")


@pytest.mark.parametrize("login", [nobody_knows, nobody_listens])
def test_watching_ends_without_an_api_server(
    login: Callable[[], kopf.ConnectionInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_S", WAIT_S)

    async def story() -> float:
        watching = Watching(login, lambda kind, event, raw: None)
        watching.start()
        await asyncio.sleep(0.5)
        began_s = time.monotonic()
        await watching.stop()
        return time.monotonic() - began_s

    assert asyncio.run(story()) < SOON_S
