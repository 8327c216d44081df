"""At most so many virtual IPs at once: when a node dies that held hundreds, each has its turn.

All at once they would keep the loop busy for longer than a silence: the node would be late, distrust itself, and begin
anew without end. Those whose turn has not come wait in order and send nothing.
"""

from typing import Final

PROBING_MAX: Final = 32
"""Probed at once: 32 × two questions per gap of 10 ms are a tenth of what a small switch or a busy loop can take."""

EXCHANGING_MAX: Final = 8
"""Offered at once: a hand-over keeps each side's kernel busy for about 4 ms, and must end within the offer's 500 ms."""

CLAIM_S: Final = 0.003
"""Kernel transactions of one claim (bind, element, permit) on a busy machine; 2 ms on an idle one."""


def claims_max(element_s: float) -> int:
    """Claims at once, so that the last one's permit is asked for while the first one's element (life ``element_s``)
    still lives."""
    return max(1, int(element_s / CLAIM_S))


class Crowd:
    """Names of virtual IPs that probe, wait for their turn to probe, or claim."""

    def __init__(self) -> None:
        self._probing: set[str] = set()
        self._waiting: dict[str, None] = {}
        self.claiming: set[str] = set()

    def may_probe(self, name: str) -> bool:
        """Whether ``name`` may begin to probe; if not it stands in the queue from now on."""
        if name not in self._probing and len(self._probing) >= PROBING_MAX:
            self._waiting[name] = None
            return False
        self._waiting.pop(name, None)
        self._probing.add(name)
        return True

    def rest(self, name: str) -> bool:
        """``name`` neither probes nor waits for now; whether that leaves room."""
        self._waiting.pop(name, None)
        probed = name in self._probing
        self._probing.discard(name)
        return probed

    def next(self) -> str:
        """Who has waited longest and may probe from now on; "" for nobody."""
        name = next(iter(self._waiting), "")
        if name:
            del self._waiting[name]
            self._probing.add(name)
        return name
