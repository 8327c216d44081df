"""``python -m vipa_agent.bgp.runner``: tells the node's FRR what an agent serves, in a process apart from it.

Apart, because FRR may be slow or hang, and the election waits for nobody; and because somebody must withdraw what a
frozen agent advertised. So what the agent says holds for a time, as its permits do, and the agent says it again and
again. The agent is on standard input, a SOCK_SEQPACKET socket, with messages in JSON:

    {"set": {prefix: term}, "drop": [prefix, …], "lost": N, "lease_s": S}   serves this too, not that any more
    {"leave": true}                                                         a successor goes on with what FRR has
    {"finish": true}                                                        withdraw all, and end

and back comes what is to be shown. When the agent is gone without a word, what it said holds to its end: an
agent that is back by then has a runner of its own, which finds in FRR what is advertised and takes it over.
"""

import json
import secrets
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from vipa_agent.bgp.frr import Frr
from vipa_agent.bgp.view import BgpView

LOOK_S: Final = 1.0
"""Between looks at the sessions: what people see, and how soon a bgpd that was restarted is told again."""
SOON_S: Final = 0.2
"""After a change: by then bgpd has sent it."""
READ_AGAIN_S: Final = 5.0
"""Between readings of bgpd's configuration, for what others removed or a saved file brought back."""
OWNER_NAME: Final = "bgp.owner"
"""File in the state dir, with a word of the runner that counts: the one whose agent served last."""
_READ_BYTES: Final = 1 << 16
_NEVER: Final = float("inf")


class Runner:
    """``owner``: that file; when it cannot be written this runner counts."""

    def __init__(self, agent: socket.socket, directory: Path, owner: Path) -> None:
        self._agent = agent
        self._frr = Frr(directory)
        self._owner = owner
        self._word = secrets.token_hex(8)
        self._wanted: dict[str, int] | None = None
        """None: the agent has not said yet, and what FRR has stays."""
        self._lost = 0
        self._lease_ends = _NEVER
        self._look_at = self._read_at = 0.0
        self._told: BgpView | None = None
        self._lapsed = False
        """The agent is still to be told that it has to say all anew."""
        self._alone = self._over = False

    def run(self) -> None:
        """Until the agent says so, or is gone and what it said has ended."""
        while not self._over:
            now = time.monotonic()
            wake_s = max(min(self._look_at, self._lease_ends) - now, 0.0)
            if select.select([] if self._alone else [self._agent], [], [], wake_s)[0]:
                self._hear()
            now = time.monotonic()
            if now >= self._lease_ends:
                self._lapse()
            elif now >= self._look_at:
                self._look(now)
        self._frr.close()

    # --- the agent

    def _hear(self) -> None:
        """All that waits, and then FRR: a renewal that waits behind a slow command is no reason to change anything."""
        while not self._over and select.select([self._agent], [], [], 0)[0]:
            try:
                said = self._agent.recv(_READ_BYTES)
            except ConnectionResetError:  # it died before it had read all
                said = b""
            if not said:
                self._alone = True
                self._over = not self._wanted
                return
            self._obey(json.loads(said))
        if not self._over:
            self._bring()

    def _obey(self, said: dict[str, Any]) -> None:
        if said.get("leave"):
            self._over = True
        elif said.get("finish"):
            self._withdraw()
        else:
            wanted = self._wanted
            if wanted is None:
                wanted = {}
                with suppress(OSError):
                    self._owner.write_text(self._word)
            for prefix in said["drop"]:
                wanted.pop(prefix, None)
            self._wanted = wanted | said["set"]
            self._lost = said["lost"]
            self._lease_ends = time.monotonic() + said["lease_s"]

    def _withdraw(self) -> None:
        self._over = True
        if self._counts():
            self._frr.bring({}, self._lost)

    def _lapse(self) -> None:
        """The agent has not said it again in time: it is dead, or as good as that."""
        if self._alone:
            self._withdraw()
            return
        self._wanted, self._lease_ends = {}, _NEVER
        self._bring()
        self._lapsed = True

    def _counts(self) -> bool:
        try:
            return self._owner.read_text() == self._word
        except OSError:
            return True

    # --- FRR

    def _bring(self) -> None:
        if self._wanted is not None:
            self._frr.bring(self._wanted, self._lost)
        self._look_at = min(self._look_at, time.monotonic() + SOON_S)

    def _look(self, now: float) -> None:
        self._look_at = now + LOOK_S
        if now >= self._read_at:
            self._read_at = now + READ_AGAIN_S
            self._frr.forget()
        if self._wanted is not None and not self._alone:  # alone, it may be another's by now
            self._frr.bring(self._wanted, self._lost)
        if self._lapsed and self._say(BgpView(lapsed=True)):
            self._lapsed = False
        view = self._frr.look()
        if view != self._told and self._say(view):
            self._told = view

    def _say(self, news: BgpView) -> bool:
        """Whether it was taken: an agent that stands still must not hold up who watches it."""
        try:
            self._agent.send(msgspec.json.encode(news), socket.MSG_DONTWAIT)
        except OSError:  # full, or gone, as the next look at the socket says
            return False
        return True


def main() -> None:
    """Entry point; arguments: FRR's folder, and the file of the owner's word."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # it ends with its agent, not beside it
        signal.signal(number, signal.SIG_IGN)
    Runner(socket.socket(fileno=0), Path(sys.argv[1]), Path(sys.argv[2])).run()


if __name__ == "__main__":
    main()
