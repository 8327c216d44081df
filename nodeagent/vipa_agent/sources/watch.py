"""Following a folder of manifests: says that something changed, once per burst; what changed is found by reading all.

Editors write by rename, ConfigMaps by swapping the link ``..data``, people by moving a whole folder into place: so the
folder is watched for names that come, go or are written, and its parent for the folder itself.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from vipa_agent.sources import inotify
from vipa_agent.sources.inotify import Inotify

SETTLE_S: Final = 0.1
"""A burst has ended when nothing happened for so long; an editor's write, rename and unlink come within a few ms."""
BURST_MAX_S: Final = 1.0
"""A folder that never rests is read so often all the same."""

_NAMES: Final = (
    inotify.IN_CREATE
    | inotify.IN_DELETE
    | inotify.IN_CLOSE_WRITE
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
    | inotify.IN_ATTRIB
)
_SELF: Final = inotify.IN_DELETE_SELF | inotify.IN_MOVE_SELF
_MOVES: Final = inotify.IN_CREATE | inotify.IN_MOVED_FROM | inotify.IN_MOVED_TO | inotify.IN_DELETE


class FolderWatch:
    """Watches ``folder``, which may not exist yet, or be replaced. Its parent must exist."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError when the parent cannot be watched."""
        self._folder = folder.absolute()
        self._inotify = Inotify()
        self._watch: int | None = None
        try:
            self._parent = self._inotify.add(self._folder.parent, _MOVES)
        except OSError:
            self._inotify.close()
            raise
        self._follow()

    def fileno(self) -> int:
        """Readable when :meth:`changed` should be asked."""
        return self._inotify.fileno()

    def changed(self) -> bool:
        """Read what happened; whether it concerns the folder. Never blocks."""
        concerns = moved = False
        for happening in self._inotify.read():
            if happening.mask & inotify.IN_Q_OVERFLOW:
                concerns = moved = True
            elif happening.watch == self._parent:
                moved |= happening.name == self._folder.name
            elif happening.watch == self._watch:
                concerns = True
                moved |= bool(happening.mask & (_SELF | inotify.IN_IGNORED))
        if moved:
            self._follow()
        return concerns or moved

    def close(self) -> None:
        """Stop watching."""
        self._inotify.close()

    def _follow(self) -> None:
        """Watch whatever is at the folder's path now."""
        try:
            found = self._inotify.add(self._folder, _NAMES | _SELF)
        except OSError:  # not there; its parent will tell when it comes
            found = None
        if self._watch is not None and self._watch != found:
            self._inotify.remove(self._watch)
        self._watch = found


async def changes(
    folder: Path, settle_s: float = SETTLE_S, burst_max_s: float = BURST_MAX_S
) -> AsyncGenerator[None, None]:
    """Yields after each burst of changes, until cancelled or closed. Changes during the consumer's work are not lost.
    Raises OSError when the folder's parent cannot be watched."""
    watch = FolderWatch(folder)
    loop = asyncio.get_running_loop()
    stirred = asyncio.Event()

    def look() -> None:
        if watch.changed():
            stirred.set()

    loop.add_reader(watch.fileno(), look)
    try:
        while True:
            await stirred.wait()
            end = loop.time() + burst_max_s
            while stirred.is_set() and loop.time() < end:
                stirred.clear()
                await asyncio.sleep(settle_s)
            stirred.clear()
            yield
    finally:
        loop.remove_reader(watch.fileno())
        watch.close()
