"""What a service manager is told (sd_notify(3)): that the agent serves, and that its loop is alive.

A datagram to the socket that $NOTIFY_SOCKET names, if any: systemd sets it for units of Type=notify. $WATCHDOG_USEC
asks for a sign of life at least so often. The variables are taken out of the environment: programs that the agent
starts are not to speak for it.
"""

import asyncio
import os
import socket
import threading
from typing import Final

import structlog

log = structlog.get_logger()

PINGS: Final = 4
"""Signs of life within the time asked for: three may come late or get lost (sd_watchdog_enabled(3) says two)."""

READY: Final = "READY=1"
"""The agent serves."""
HOLD_S: Final = 2.0
"""One start a while costs a tenth of a processor; what was missing (a port, a kernel module) seldom comes sooner."""


class Service:
    """One per process. Nothing here waits or fails: an agent serves with a deaf service manager too."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        usec = os.environ.pop("WATCHDOG_USEC", "")
        mine = os.environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self.ping_s = int(usec) / 1e6 / PINGS if address and mine and usec.isdigit() else 0.0
        """Between two signs of life; 0: nobody waits for them."""
        self._ready = False
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def tell(self, state: str) -> None:
        """Say it: READY=1, WATCHDOG=1, STATUS=… (one assignment a line)."""
        self._ready |= state == READY
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to:
                to.sendto(state.encode(), self._address)
        except OSError as error:
            log.debug("service manager not told", state=state, detail=str(error))

    def hold(self) -> None:
        """Before an end that was none asked for: an agent that cannot begin is started again at once, and must not take
        a processor for that; one that did serve is to be back before its permits end."""
        if self._address and not self._ready:
            threading.Event().wait(HOLD_S)

    async def pings(self) -> None:
        """Signs of life from the loop, until cancelled; at once returns when nobody waits for them."""
        while self.ping_s:
            self.tell("WATCHDOG=1")
            await asyncio.sleep(self.ping_s)
