"""Figure 3, act by act: the address is on both machines, one adapter answers the LAN, and a takeover binds nothing."""

from dataclasses import replace
from typing import Final

from vipa_cli.demo.acts import ACTS, VIP, Act

_STORIES: Final = {
    "start": f"The agents start; both machines get {VIP}. One adapter is to answer: w1 has two on the LAN.",
    "quiet": f"Two seconds without a fault. The client asks {VIP} every 2 ms; w2 has it too and keeps still.",
    "cable": "The cable of 10.1.1.4 is pulled. The same machine answers through 10.1.1.5; sessions go on.",
    "path": "The path of 10.1.1.5 goes silent. w2 has the address already: it only begins to answer.",
    "return": "Cable and path are back. After the failback delay w1 answers again; w2 keeps the address.",
    "power": "w1 loses power without a farewell. w2 answers.",
    "boot": "w1 boots and gets the address anew. After the failback delay it answers again.",
    "stop": "The agent on w1 is asked to stop. w2 answers first; then w1 lets go of the address.",
}

ACTS_OF_SYSTEMS: Final[tuple[Act, ...]] = tuple(
    replace(act, story=_STORIES[act.key]) for act in ACTS if act.key in _STORIES
)

DRAWING: Final = f"""\
 client 10.1.1.100      w1: {VIP}          w2: {VIP}
        │             10.1.1.4  10.1.1.5       10.1.1.6
        │                │         │              │
     ───┴────────────────┴─────────┴──────────────┴───  LAN
     "who has {VIP}?"  one adapter of the machine with two answers
"""
