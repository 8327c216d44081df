"""A service unit as a program would be started by it: what tests need of systemd.service(5), without systemd."""

import ctypes
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

UNIT: Final = Path(__file__).parents[2] / "deploy/systemd/vipa-agent.service"
OPTIONS: Final = "$VIPA_AGENT_OPTIONS"

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_MDWE: Final = 65
_PR_MDWE_REFUSE_EXEC_GAIN: Final = 1


class Unit:
    """Settings of a unit file, each name once."""

    def __init__(self, path: Path) -> None:
        lines = [line.strip() for line in path.read_text().splitlines()]
        pairs = [line.partition("=") for line in lines if line and line[0] not in "#;["]
        self._settings = {name: value for name, _, value in pairs}
        if len(self._settings) != len(pairs):
            raise ValueError(f"{path}: a setting stands there twice, which this reader does not know")

    def __getitem__(self, name: str) -> str:
        return self._settings[name]

    def command(self, replaced: Mapping[str, str], options: str = "") -> list[str]:
        """Words of ExecStart, with these texts in the place of others (specifiers, paths), and the words of its one
        variable."""
        words = []
        for word in shlex.split(self["ExecStart"]):
            if word == OPTIONS:  # alone in a word: split (systemd.service(5), command lines)
                words += shlex.split(options)
                continue
            for old, new in replaced.items():
                word = word.replace(old, new)
            words.append(word)
        return words


def confine() -> None:
    """In a process that is to become the service: NoNewPrivileges, and MemoryDenyWriteExecute as the kernel has it
    (since 6.3; older ones go without)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    libc.prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
    os.umask(0o077)
