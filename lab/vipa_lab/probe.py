"""The lab's side of a measuring program: look at it while it runs, end it, read its result."""

from collections.abc import Callable
from typing import Generic, TypeVar, cast

import msgspec

from vipa_lab.errors import LabError
from vipa_lab.process import Process
from vipa_lab.results import Live, ProbeResult, Report, TcpResult
from vipa_lab.tail import Tail

_R = TypeVar("_R", ProbeResult, TcpResult)

_decoder: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


class Probe(Generic[_R]):
    """A running measurement. Its result is typed: ``Probe[ProbeResult]`` or ``Probe[TcpResult]``."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._tail = Tail(process.log)
        self._live: Live | None = None

    def live(self) -> Live | None:
        """The latest counters (at most 50 ms old), None before the first."""
        for line in self._tail.lines():
            message = self._decode(line)
            if isinstance(message, Live):
                self._live = message
        return self._live

    def answers(self, more: int) -> Callable[[], bool]:
        """A question for :func:`vipa_lab.until.until`: whether it has had so many answers more than now."""
        live = self.live()
        wanted = more + (live.answered if live else 0)

        def enough() -> bool:
            live = self.live()
            return live is not None and live.answered >= wanted

        return enough

    def stop(self, timeout_s: float = 10.0) -> _R:
        """End the run and give its result; LabError with the program's words when it has none."""
        self.process.terminate(timeout_s)
        return self._result()

    def wait(self, timeout_s: float) -> _R:
        """Wait for a run with a count to end by itself, and give its result."""
        self.process.wait(timeout_s)
        return self._result()

    def _result(self) -> _R:
        lines = self.process.log.read_bytes().splitlines()
        message = self._decode(lines[-1]) if lines else None
        if not isinstance(message, ProbeResult | TcpResult):
            raise LabError(f"the probe has no result: {self.process.last_words()}")
        return cast(_R, message)

    def _decode(self, line: bytes) -> Report:
        try:
            return _decoder.decode(line)
        except msgspec.MsgspecError:
            raise LabError(f"the probe failed: {self.process.last_words()}") from None
