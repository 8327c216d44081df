"""Ctrl-C at a moment of our choosing: in the middle of making a machine or a program it would leave half of one."""

import signal
from types import FrameType, TracebackType
from typing import Self


class Interrupt:
    """While used as a context manager, SIGINT and SIGTERM are remembered, and :meth:`check` raises KeyboardInterrupt
    for them, once. Main thread only, as signal handlers are."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave is what it takes

    def check(self) -> None:
        """KeyboardInterrupt when somebody asked for the end since the last check."""
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
