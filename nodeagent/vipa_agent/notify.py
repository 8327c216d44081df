"""What hooks are told: each change of a virtual IP's role on this node, and of the interface that serves it.

Claims that come to nothing, and the steps of a hand-over, are no news: while it is not Holder a node is a Spare, or
Excluded when it has no healthy endpoint or fails a health check, or Idle when the virtual IP is none of its (any more).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vipa.election.actions import Notice, Transition
from vipa.election.node import Node
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa.reasons import Reason
from vipa_agent.hookcall import STOPPED
from vipa_agent.picture import reason_of

Tell = Callable[[dict[str, Any]], None]

_HOLDER: Final = "Holder"
_SPARE: Final = "Spare"
_EXCLUDED: Final = "Excluded"
_IDLE: Final = "Idle"


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said last of a virtual IP."""

    role: str = _IDLE
    interface: str = ""
    addresses: tuple[str, ...] = ()
    place: int = 0
    term: int = 0


class Notifier:
    """Compares what is with what was told last. Without ``tell`` (no hooks) it does nothing."""

    def __init__(self, node: Node, tell: Tell | None) -> None:
        self._node = node
        self._send = tell
        self._told: dict[str, _Told] = {}

    def happened(self, action: Transition | Notice) -> None:
        """The election reports something: at once, so that what lasts a moment only is told too."""
        if self._send is None or not isinstance(action, Transition):
            return
        vip = self._node.vips.get(action.vip)
        if vip is None:
            self._tell(action.vip, _Told(term=action.term), action.reason)
            return
        if self._begins(vip, State(action.new)):
            return
        role = self._role(vip, State(action.new))
        interface = action.interface if role == _HOLDER else ""
        self._tell(vip.name, self._picture(vip, role, interface), self._reason(vip, role, action.reason))

    def look(self) -> None:
        """Some time after something changed: adapters that fail under a spare, and other plans, are no transitions."""
        if self._send is None:
            return
        nothing = _Told()
        for vip in self._node.vips.values():  # 2,000 of them, of which a few differ
            if self._begins(vip, vip.state):
                continue
            role = self._role(vip, vip.state)
            interface = vip.interface if role == _HOLDER else ""
            told = self._told.get(vip.name, nothing)
            if role != told.role or interface != told.interface:
                self._tell(vip.name, self._picture(vip, role, interface), reason_of(self._node, vip))
        for name in self._told.keys() - self._node.vips.keys():
            self._tell(name, _Told(), Reason.PLAN_REMOVED)

    def stopped(self) -> None:
        """The agent ends, and serves nothing any more: the last that is told."""
        for name, told in list(self._told.items()):
            self._tell(name, _Told(addresses=told.addresses, place=told.place, term=told.term), Reason(STOPPED))
        self._send = None

    def _begins(self, vip: VipState, state: State) -> bool:
        """Listening before it knows: an agent that adopts what the one before served was never a spare."""
        return state is State.LISTENING and vip.name not in self._told

    def _role(self, vip: VipState, state: State) -> str:
        if state is State.HOLDER:
            return _HOLDER
        if state is State.IDLE:
            return _IDLE
        excluded = vip.verdict is Verdict.FAILING or self._node.best_local(vip) is None
        return _EXCLUDED if excluded else _SPARE

    def _reason(self, vip: VipState, role: str, reason: Reason) -> Reason:
        return reason_of(self._node, vip) if role == _EXCLUDED else reason

    def _picture(self, vip: VipState, role: str, interface: str) -> _Told:
        rank = vip.rank(vip.elected) if vip.elected else next((rank for rank, _ in self._node.local(vip)), None)
        return _Told(role, interface, vip.plan.addresses, 0 if rank is None else rank + 1, vip.term)

    def _tell(self, name: str, now: _Told, reason: Reason) -> None:
        before = self._told.get(name, _Told())
        if (now.role, now.interface) == (before.role, before.interface):
            return
        if now.role == _IDLE:
            self._told.pop(name, None)
        else:
            self._told[name] = now
        assert self._send is not None
        self._send(
            {
                "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "node": self._node.config.node,
                "vip": name,
                "addresses": now.addresses or before.addresses,
                "from": before.role,
                "to": now.role,
                "fromInterface": before.interface,
                "interface": now.interface,
                "reason": reason,
                "term": now.term or before.term,
                "place": now.place or before.place,
            }
        )
