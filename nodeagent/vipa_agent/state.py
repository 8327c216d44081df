"""What an agent remembers across restarts: a few numbers and words in ``state.json`` of its state dir.

Nothing depends on it for safety (the kernel's permits do that), so no trouble with the disk stops the agent: it starts
empty, carries on unsaved, and says so. Writing happens in a thread, since a slow disk may take seconds over an fsync.
"""

import contextlib
import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

STATE_NAME: Final = "state.json"

Value = int | float | str | bool


class StateFile:
    """``complain`` is called with one message for people, from the loop's or the writer's thread, once per trouble."""

    def __init__(self, state_dir: Path, complain: Callable[[str], None]) -> None:
        self._path = state_dir / STATE_NAME
        self._complain = complain
        self._complained = False
        self._change = threading.Condition()
        self._wanted: dict[str, Value] | None = None
        self._busy = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def load(self) -> dict[str, Value]:
        """What was saved last; {} when nothing was, or (with a complaint) when it cannot be read. Blocks on the disk:
        call it before the loop runs."""
        try:
            values = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._complain(f"cannot read {self._path} ({error.strerror}): starting without remembered state")
            return {}
        except ValueError:
            values = None
        if not isinstance(values, dict) or not all(isinstance(value, Value) for value in values.values()):
            self._complain(f"{self._path} is damaged: starting without remembered state")
            return {}
        return values

    def save(self, values: Mapping[str, Value]) -> None:
        """Replace what is saved, soon. Returns at once; of several calls during one write the last counts."""
        with self._change:
            self._wanted = dict(values)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="state-writer", daemon=True)
                self._thread.start()
            self._change.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was asked for has been tried; False when the disk did not finish in time."""
        with self._change:
            return self._change.wait_for(lambda: self._wanted is None and not self._busy, timeout_s)

    def close(self, timeout_s: float = 1.0) -> bool:
        """Flush and stop."""
        flushed = self.flush(timeout_s)
        with self._change:
            self._closing = True
            self._change.notify_all()
        return flushed

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._wanted is not None or self._closing)
                if self._wanted is None:
                    return
                values, self._wanted, self._busy = self._wanted, None, True
            try:
                replace(self._path, json.dumps(values, indent=1, sort_keys=True).encode() + b"\n")
                self._complained = False
            except OSError as error:
                if not self._complained:
                    self._complain(f"cannot save {self._path} ({error.strerror}): carrying on without saved state")
                self._complained = True
            with self._change:
                self._busy = False
                self._change.notify_all()


def replace(path: Path, content: bytes) -> None:
    """All or nothing, also when the power fails: a new file, on the disk, then renamed over the old.

    Its name is by chance and not by the process id: that is 1 in both pods of an upgrade, which share the folder."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    passing = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        fd = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "wb", closefd=False) as file:
                file.write(content)
            os.fsync(fd)
        finally:
            os.close(fd)
        passing.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            passing.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
