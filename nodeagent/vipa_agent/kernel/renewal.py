"""The renewal thread: keeps permits alive off the event loop, and lets them end when the loop is dead.

A permit lives three renewals and 200 ms (docs/design/0002-election.md, "Timing"). Renewal is one prebuilt transaction
per interface; it fails when the permit has lapsed, and then the permit is gone for good: a thawed agent cannot bring it
back. A loop that has not ticked for half a permit is taken for hung and its permits are left to end.
"""

import errno
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from vipa.timing import RENEW_SLACK_S
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.flips import Flips, renewal
from vipa_agent.kernel.nfnl import NftSocket, Transaction

_RETRY_S: Final = 0.01
"""After a refusal that is not a lapse (no memory, a busy kernel): well below the 200 ms of slack."""


@dataclass(slots=True)
class _Kept:
    permit_s: float
    transaction: Transaction
    next_s: float

    @property
    def renew_s(self) -> float:
        """Same formula as vipa.timing.Profile.renew_s."""
        return (self.permit_s - RENEW_SLACK_S) / 3


class Renewer:
    """Renews permits until told otherwise. Callbacks come from the thread and must be thread-safe:
    ``renewed(interface, until)`` with CLOCK_BOOTTIME seconds, ``lapsed(interface)``."""

    def __init__(
        self,
        flips: Flips,
        lock: threading.RLock,
        renewed: Callable[[str, float], None],
        lapsed: Callable[[str], None],
    ) -> None:
        self._flips = flips
        self._lock = lock
        self._renewed = renewed
        self._lapsed = lapsed
        self._wake = threading.Condition(lock)
        self._kept: dict[str, _Kept] = {}
        self._ticked_s = boottime_s()
        self._stopping = False
        # Made here, not in the thread: sockets belong to the network namespace of the thread that makes them.
        self._socket = NftSocket()
        self._thread = threading.Thread(target=self._run, name="permit-renewal", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._socket.close()
            raise

    def tick(self) -> None:
        """The owner's loop is alive. Cheap; call it on every turn."""
        self._ticked_s = boottime_s()

    def permits(self) -> dict[str, float]:
        """permit_s by interface of what is renewed."""
        with self._lock:
            return {interface: kept.permit_s for interface, kept in self._kept.items()}

    def keep(self, permits: Mapping[str, float]) -> None:
        """Renew exactly these from now on (interface → permit_s); the permits of others end now."""
        with self._wake:
            self.tick()
            for interface in self._kept.keys() - permits.keys():
                del self._kept[interface]
                self._flips.end_permit(interface)
            for interface, permit_s in permits.items():
                known = self._kept.get(interface)
                if known is None or known.permit_s != permit_s:
                    kept = _Kept(permit_s, renewal(interface, permit_s), 0.0)
                    # A shorter permit takes effect at once; a new one was made by its claim a moment ago.
                    kept.next_s = boottime_s() + (kept.renew_s if known is None else 0.0)
                    self._kept[interface] = kept
            self._wake.notify()

    def forget(self, interface: str) -> None:
        """Renew this one no more; its permit is gone already."""
        with self._lock:
            self._kept.pop(interface, None)

    def close(self) -> None:
        """Stop the thread; permits end by themselves."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        with self._wake:
            while not self._stopping:
                now = boottime_s()
                for interface in [name for name, kept in self._kept.items() if kept.next_s <= now]:
                    self._renew(interface, self._kept[interface])
                soonest = min((kept.next_s for kept in self._kept.values()), default=None)
                self._wake.wait(None if soonest is None else max(0.0, soonest - boottime_s()))

    def _renew(self, interface: str, kept: _Kept) -> None:
        sent_s = boottime_s()  # before sending: what we say of the permit must not outlast it
        if sent_s - self._ticked_s > kept.permit_s / 2:
            kept.next_s = sent_s + _RETRY_S
            return
        try:
            failures = self._socket.commit(kept.transaction)
        except NetlinkRefused:
            kept.next_s = sent_s + _RETRY_S
            return
        if not failures:
            kept.next_s = sent_s + kept.renew_s
            self._flips.renewed(interface, sent_s + kept.permit_s)
            self._renewed(interface, sent_s + kept.permit_s)
        elif any(failure.code == errno.ENOENT for failure in failures):
            del self._kept[interface]
            with suppress(NetlinkRefused):  # the tables themselves were removed, and with them what was elected
                self._flips.lapse(interface)
            self._lapsed(interface)
        else:
            kept.next_s = sent_s + _RETRY_S
