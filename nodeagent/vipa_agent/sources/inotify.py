"""Linux's inotify in the few calls that are needed, through the C library. inotify(7) has the layout and the flags."""

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

IN_ATTRIB: Final = 0x004
IN_CLOSE_WRITE: Final = 0x008
IN_MOVED_FROM: Final = 0x040
IN_MOVED_TO: Final = 0x080
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
IN_DELETE_SELF: Final = 0x400
IN_MOVE_SELF: Final = 0x800
IN_Q_OVERFLOW: Final = 0x4000
IN_IGNORED: Final = 0x8000
IN_ONLYDIR: Final = 0x1000000

_HEADER: Final = struct.Struct("iIII")
_READ_BYTES: Final = 64 << 10
_libc = ctypes.CDLL(None, use_errno=True)


class Happening(NamedTuple):
    """One event: which watch, what (a mask of the flags above), and the name inside the folder, if any."""

    watch: int
    mask: int
    name: str


class Inotify:
    """An inotify instance, non-blocking."""

    def __init__(self) -> None:
        """Raises OSError when the kernel has no more (fs.inotify.max_user_instances)."""
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """The descriptor: readable when something happened."""
        return self._fd

    def add(self, folder: Path, mask: int) -> int:
        """Watch ``folder``, following links; the same folder again gives the same number. Raises OSError."""
        return _checked(_libc.inotify_add_watch(self._fd, os.fsencode(folder), mask | IN_ONLYDIR))

    def remove(self, watch: int) -> None:
        """Stop a watch; one that the kernel already dropped is fine."""
        _libc.inotify_rm_watch(self._fd, watch)

    def read(self) -> Iterator[Happening]:
        """Everything that happened and was not read yet."""
        while True:
            try:
                data = os.read(self._fd, _READ_BYTES)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEADER.unpack_from(data, at)
                at += _HEADER.size
                yield Happening(watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0")))
                at += length

    def close(self) -> None:
        """Give everything back."""
        os.close(self._fd)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
