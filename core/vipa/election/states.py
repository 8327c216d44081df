"""States of one VIP on one node, and which may follow which. The diagram in docs/design/0002-election.md is drawn from
``TRANSITIONS``; an illegal transition raises and changes nothing."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What this node is doing for one VIP."""

    IDLE = "Idle"  # no endpoint of this node is in the succession
    LISTENING = "Listening"  # start, or after a lapse or isolation: one silence before the first probe (rule 12)
    SPARE = "Spare"  # ready to serve; someone holds, or nothing may be done now
    SUSPECTING = "Suspecting"  # no Holder heard for one silence: probing (rule 5)
    CLAIMING = "Claiming"  # claim element set, addresses bound: re-check, then permit
    RECEIVING = "Receiving"  # offered a planned move: bound, said ready, waiting for go (rule 4)
    HOLDER = "Holder"  # elected and permitted
    YIELDING = "Yielding"  # said go: answers no more, still serves what arrives (rule 4)


_EVERYWHERE: Final = frozenset({State.IDLE, State.LISTENING})

TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.IDLE: frozenset({State.LISTENING}),
    State.LISTENING: _EVERYWHERE | {State.SPARE, State.HOLDER},  # HOLDER: adopted at start (rule 8)
    State.SPARE: _EVERYWHERE | {State.SUSPECTING, State.RECEIVING},
    State.SUSPECTING: _EVERYWHERE | {State.SPARE, State.CLAIMING, State.RECEIVING},
    State.CLAIMING: _EVERYWHERE | {State.SPARE, State.HOLDER, State.RECEIVING},  # RECEIVING: the next *go* is awaited
    State.RECEIVING: _EVERYWHERE | {State.SPARE, State.CLAIMING},
    State.HOLDER: _EVERYWHERE | {State.SPARE, State.YIELDING},
    State.YIELDING: _EVERYWHERE | {State.SPARE, State.SUSPECTING},
}

UNSETTLED: Final = frozenset({State.LISTENING, State.SUSPECTING, State.CLAIMING, State.RECEIVING, State.YIELDING})
"""States in which heartbeats run at full rate between all nodes of the succession."""


def diagram() -> str:
    """Mermaid text of the table."""
    lines = ["stateDiagram-v2", "    [*] --> Idle"]
    lines += [
        f"    {a.value} --> {b.value}" for a, after in TRANSITIONS.items() for b in State if b in after and b != a
    ]
    return "\n".join(lines)
