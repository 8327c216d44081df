"""What people see of the agent follows what happens: soon, together, and never on the path of a failover."""

import asyncio
from collections.abc import Callable
from typing import Final

from vipa.election.actions import Notice, Transition
from vipa.election.elector import Elector
from vipa_agent import picture
from vipa_agent.bgp.view import BgpView
from vipa_agent.hookprocess import HookProcess
from vipa_agent.metrics import Metrics
from vipa_agent.notify import Notifier

PICTURE_S: Final = 0.1
"""Metrics' picture is this old at most after a change, with few virtual IPs."""

PICTURE_S_PER_VIP: Final = 0.0004
"""And this much more for each: drawing takes 10 us for each, and must not hold up what moves: 2,000 have moved in less
time."""


class Shown:
    """Metrics, notify hooks, and ``told``, which is called after each drawing: there may be something new to report."""

    def __init__(
        self,
        elector: Elector,
        metrics: Metrics,
        hooks: HookProcess | None,
        bgp: Callable[[], BgpView],
        told: Callable[[], None],
    ) -> None:
        self._elector = elector
        self._notifier = Notifier(elector.node, hooks.tell if hooks else None)
        self._metrics = metrics
        self._bgp = bgp
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._due = False
        self._counted: dict[str, int] = {}

    def changed(self) -> None:
        """Something people see changed."""
        if not self._due:
            self._due = True
            after_s = PICTURE_S + PICTURE_S_PER_VIP * len(self._elector.node.vips)
            self._loop.call_later(after_s, self._show)

    def happened(self, action: Transition | Notice) -> None:
        """The election reports something."""
        self.changed()
        self._notifier.happened(action)

    def stopped(self) -> None:
        """The agent serves nothing any more, and ends."""
        self._notifier.stopped()

    def _show(self) -> None:
        self._due = False
        self._metrics.show(picture.picture(self._elector, self._bgp()))
        for result, count in self._elector.receiver.results.items():
            before = self._counted.get(result, 0)
            if count > before:
                self._metrics.heartbeats("received", result, count - before)
                self._counted[result] = count
        self._notifier.look()
        self._told()
