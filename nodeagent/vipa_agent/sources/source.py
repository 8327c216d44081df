"""What the agent asks of whatever gives it plans: a folder of manifests, or the Kubernetes API."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from vipa.plan import Plan
from vipa.resources.node import VirtualIPNodeStatus

Take = Callable[[Plan], bool]
"""Hands a plan to the agent, on its loop; False when the agent cannot take it (and has said why)."""

Document = Callable[[], Awaitable[VirtualIPNodeStatus]]
"""What there is to report now. Called on the loop."""


class Source(Protocol):
    """Where plans come from. Everything here runs beside the failover path, never on it."""

    def first(self) -> Plan | None:
        """The plan to begin with; None when none is known yet, which is not the same as an empty one: what the kernel
        still serves stays as it is until a plan comes. Blocks on the disk: call it before the loop runs."""

    async def run(self, take: Take, document: Document) -> None:
        """Hand over every later plan, and report, until cancelled."""

    def changed(self) -> None:
        """The document differs from before."""

    async def last_word(self) -> None:
        """The agent has stopped serving: report that if it can be done at once."""
