"""A file that a program writes to line by line, read as it grows."""

from pathlib import Path


class Tail:
    """The lines of ``path`` from the byte ``offset`` on, each once and each whole."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._offset = offset

    def lines(self) -> list[bytes]:
        """What was finished since the last call, without line ends."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        return whole.splitlines()
