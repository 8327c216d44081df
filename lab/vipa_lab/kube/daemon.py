"""A program on this machine itself, outside every lab namespace, that never outlives the test process."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.process import Process

# A fresh server's heap is small, so its garbage collector runs all the time: with four times the heap a write costs a
# third less, and these servers live a minute.
_GO: Final = {"GOGC": "400"}


class Daemon(Process):
    """Started with the working directory ``folder``; output goes to ``<folder>/<name>.log``, after what is there.

    The kernel kills it when the test process ends, in whatever way, kill -9 included, and even when it is frozen then.
    """

    def __init__(self, name: str, argv: Sequence[str], folder: Path) -> None:
        self.argv = list(argv)
        self.log = folder / f"{name}.log"
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise LabError("setpriv is missing: install util-linux")
        command = [setpriv, "--pdeathsig", "KILL", "--", *self.argv]

        def start(output: int) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env={**_GO, **os.environ},
                start_new_session=True,
            )

        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._popen = _spawner().submit(start, descriptor).result()
        finally:
            os.close(descriptor)


@cache
def _spawner() -> ThreadPoolExecutor:
    """One thread that lasts as long as this process: the signal comes when the *thread* ends that made the child
    (PR_SET_PDEATHSIG, prctl(2)), and a test may start a server in a thread of its own."""
    return ThreadPoolExecutor(1, thread_name_prefix="kube-spawner")
