"""The instruments of clients behind a router, for one act, where a figure has them beside the client on the LAN."""

import contextlib
import os
import signal
from collections import Counter
from typing import Final

from vipa_cli.demo.acts import VIP
from vipa_cli.demo.judge import is_late
from vipa_cli.demo.reached import Reached
from vipa_lab.answered import answered_by
from vipa_lab.client import Client
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult

FLOWS: Final = 6
"""Followed all the time, each a program of its own: by chance alone all on one of two machines, of which one has two of
three adapters, once in eleven times."""
_PERIOD_MS: Final = 10.0
_WARM: Final = 10
"""Answers after which a flow is under way."""
_NEW_FLOWS: Final = 120
"""Asked at the end. By chance alone none of them on the machine with one of three adapters: 1e-21."""


class Beyond:
    """``client``: where they sit. They begin at once and go on until :meth:`stop`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._probes: list[Probe[ProbeResult]] = [client.udp_probe(VIP, period_ms=_PERIOD_MS) for _ in range(FLOWS)]

    def is_served(self) -> bool:
        """Whether every flow is answered."""
        return all((live := probe.live()) is not None and live.answered >= _WARM for probe in self._probes)

    def nodes(self, silent_ms: float) -> tuple[str, ...]:
        """The machine that answers each flow now; "" when none has for ``silent_ms``."""
        lives = [probe.live() for probe in self._probes]
        return tuple(live.node if live and live.silent_ms < silent_ms else "" for live in lives)

    def answered(self) -> Counter[str]:
        """Which machine answers how many new flows."""
        return answered_by(self._client, VIP, _NEW_FLOWS)

    def ask_to_stop(self) -> None:
        """So that not each waits for its last answers in turn."""
        for probe in self._probes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(probe.process.pid, signal.SIGTERM)

    def stop(self, by: Counter[str]) -> Reached:
        """All there is to say of the act; ``by``: what :meth:`answered` said last."""
        results = [probe.stop() for probe in self._probes]
        return Reached(
            max(result.longest_outage_ms for result in results),
            sum(result.lost for result in results),
            sum(result.sent for result in results),
            dict(by),
            any(is_late(result) for result in results),
        )
