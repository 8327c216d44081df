"""The heartbeat keys of a file, read again when it changes: keys are rotated while everything runs.

Looked at after a change in the file's folder (editors write by rename, Kubernetes swaps the link ``..data``), and after
SIGHUP. A file that cannot be used changes nothing: the last good keys stay, and the log says what is wrong with it.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from vipa.errors import ConfigError
from vipa.heartbeat.keys import Key, parse_keys
from vipa_agent.sources.watch import changes

log = structlog.get_logger()

Take = Callable[[tuple[Key, ...]], None]


def read_keys(path: Path) -> tuple[Key, ...]:
    """Keys of a file; ConfigError with what is wrong."""
    try:
        return parse_keys(path.read_text(), str(path))
    except OSError as error:
        raise ConfigError(f"--key-file: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--key-file: {path} is not text; write one line with a secret, or ID:SECRET") from error


class KeyFile:
    """``keys``: the last good ones, outliving the agents of one process. Without a path they never change."""

    def __init__(self, path: Path | None, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self._path = path
        self._complaint = ""
        self._stirred: asyncio.Event | None = None

    async def follow(self, take: Take) -> None:
        """Give ``take`` the keys whenever they have become others; returns when cancelled. One agent at a time."""
        stirred = self._stirred = asyncio.Event()
        stirred.set()  # they may have changed since they were read last
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                await stirred.wait()
                stirred.clear()
                if self._path is not None and await self._changed(self._path):
                    take(self.keys)
        finally:
            watching.cancel()

    def look(self) -> None:
        """Read the file soon, changed or not: for SIGHUP."""
        if self._stirred is not None:
            self._stirred.set()

    async def _changed(self, path: Path) -> bool:
        try:
            found = await asyncio.to_thread(read_keys, path)  # a file on a network may take its time
        except ConfigError as error:
            if self._complaint != (complaint := str(error)):
                log.warning("key file not taken: the keys before stay in force", detail=complaint, **names(self.keys))
            self._complaint = complaint
            return False
        self._complaint = ""
        if found == self.keys:
            return False
        self.keys = found
        log.info("keys taken", **names(found))
        return True

    async def _watch(self) -> None:
        if self._path is None:
            return
        try:
            async for _ in changes(self._path.absolute().parent):
                self.look()
        except OSError as error:
            log.warning("key file not followed: SIGHUP has it read again", detail=str(error))


def names(keys: tuple[Key, ...]) -> dict[str, str | list[str]]:
    """What people may know of keys: which signs, which are accepted."""
    return {"signs": keys[0].name if keys else "", "accepted": [key.name for key in keys]}
