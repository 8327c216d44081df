"""The client that is new each time: a TCP connection every 50 ms, up to the server's greeting.

``python -m vipa_lab.connect_probe --target 10.1.1.7``; SIGTERM ends it. A connection without greeting within one second
is lost.
"""

import argparse
import asyncio
import time
from typing import Final

from vipa_lab.pacing import ECHO_PORT, REPLY_TIMEOUT_S, LiveReporter, Pacer, Stop, prepare, report
from vipa_lab.results import Sample, summarise

# So that SIGTERM is noticed between two deadlines that are far apart.
_SLEEP_MAX_S: Final = 0.05


class ConnectProbe:
    """``samples``: one per attempt."""

    def __init__(self, target: str, port: int, pacer: Pacer) -> None:
        self._target = target
        self._port = port
        self._pacer = pacer
        self._live = LiveReporter()
        self.samples: list[Sample] = []

    async def run(self, stop: Stop) -> None:
        """Until ``stop`` or the pacer's limit; attempts under way are finished."""
        async with asyncio.TaskGroup() as attempts:
            while not stop and not self._pacer.exhausted:
                due_s, now_s = self._pacer.due_s, time.monotonic()
                if now_s < due_s:
                    await asyncio.sleep(min(due_s - now_s, _SLEEP_MAX_S))
                    continue
                self._pacer.taken()
                self.samples.append(Sample(due_s, now_s))
                attempts.create_task(self._attempt(len(self.samples) - 1))
                self._live.maybe(self.samples)

    async def _attempt(self, seq: int) -> None:
        sample = self.samples[seq]
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self._target, self._port)
                try:
                    greeting = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return  # lost: the sample stays unanswered
        if greeting:
            sample.answered_s, sample.node = time.monotonic(), greeting.decode(errors="replace").strip()
            self._live.answered(seq, sample)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, default=ECHO_PORT)
    parser.add_argument("--period-ms", type=float, default=50.0)
    parser.add_argument("--count", type=int, default=0, help="stop after so many (0: until SIGTERM)")
    options = parser.parse_args()
    stop = Stop()
    realtime = prepare()
    period_s = options.period_ms / 1000
    probe = ConnectProbe(options.target, options.port, Pacer(period_s, options.count))
    asyncio.run(probe.run(stop))
    report(summarise(probe.samples, kind="connect", target=options.target, period_s=period_s, realtime=realtime))


if __name__ == "__main__":
    main()
