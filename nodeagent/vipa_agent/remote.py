"""What this node does for remote clients: it tells routers on the LAN, and whoever asks over HTTP, where to send."""

import asyncio
from collections.abc import Callable

from vipa.election.elector import Elector
from vipa.election.events import LocalInterface
from vipa_agent.hopboard import HopBoard
from vipa_agent.nexthops import next_hops
from vipa_agent.routers import Routers
from vipa_agent.wire.mux import Mux


class Remote:
    """``routers`` are told by datagrams, readers of ``board`` wait for changes in threads of their own."""

    def __init__(self, elector: Elector, mux: Mux, interfaces: Callable[[], tuple[LocalInterface, ...]]) -> None:
        self.routers = Routers(elector, mux.send_beat, interfaces)
        mux.asked = self.routers.take
        self.board = HopBoard(asyncio.get_running_loop(), elector, lambda: next_hops(elector, interfaces()))

    def changed(self) -> None:
        """What this node serves, or hears of others, may have changed."""
        self.routers.changed()
        self.board.changed()

    def awake(self, now: float) -> None:
        """A turn of the loop ends."""
        self.routers.soon(now)
        self.board.look(now)

    def stop(self) -> None:
        """Say the last that is to be said."""
        self.routers.stop()
