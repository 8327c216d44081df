"""A connection to one of FRR's daemons, as vtysh makes it: commands in, what they print and whether they worked out.

vtysh itself would have to be in the agent's image, of the version of the node's FRR, and takes 30 ms to start. What it
does is simple and has not changed since Quagga: a command and a zero byte on the daemon's socket; the answer, three
zero bytes and one that tells how it ended (FRR, lib/vty.c, vtysh_read and vtysh_flush).
"""

import socket
from pathlib import Path
from typing import Final

ANSWER_S: Final = 5.0
"""A command that takes bgpd so long never comes back: 2,000 lines took it 0.2 s in all."""
_END: Final = b"\0\0\0"
_READ_BYTES: Final = 1 << 16
_GOOD: Final = 0


class VtyError(Exception):
    """The message is for people. ``reachable``: the daemon answered."""

    def __init__(self, message: str, *, reachable: bool = False) -> None:
        super().__init__(message)
        self.reachable = reachable


class Vty:
    """Blocks; for a process of its own. VtyError when there is no daemon, or this user may not ask it."""

    def __init__(self, directory: Path, daemon: str) -> None:
        self._path = directory / f"{daemon}.vty"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(str(self._path))
        except PermissionError as error:
            self._socket.close()
            raise VtyError(
                f"not allowed to use {self._path}: the agent must be in its group{_group(self._path)}"
            ) from error
        except OSError as error:
            self._socket.close()
            raise VtyError(f"{self._path}: {error.strerror or error}: does FRR run here, with {daemon}?") from error

    def ask(self, command: str) -> str:
        """What ``command`` prints. VtyError when it fails."""
        try:
            self._socket.sendall(command.encode() + b"\0")
            answer = bytearray()
            while not (len(answer) > len(_END) and answer[-4:-1] == _END):
                if not (more := self._socket.recv(_READ_BYTES)):
                    raise VtyError(f"{self._path}: FRR has ended")
                answer += more
        except OSError as error:
            raise VtyError(f"{self._path}: {error.strerror or error or 'no answer'}") from error
        text = bytes(answer[:-4]).decode(errors="replace")
        if answer[-1] != _GOOD:
            raise VtyError(f"FRR refused '{command}': {' '.join(text.split())}", reachable=True)
        return text

    def close(self) -> None:
        """Safe to repeat."""
        self._socket.close()


def _group(path: Path) -> str:
    try:
        return f", number {path.stat().st_gid}"
    except OSError:  # nor to look at it
        return ""
