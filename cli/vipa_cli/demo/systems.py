"""Figure 3, act by act: the address is on both machines, remote clients come to both, one adapter answers the LAN.

A takeover binds nothing."""

from dataclasses import dataclass, replace
from typing import Final

from vipa_cli.demo.acts import ACTS, VIP, Act
from vipa_cli.demo.reached import RemotePromise
from vipa_cli.playground import Playground
from vipa_lab.remote import Remote

_BOTH: Final = frozenset({"w1", "w2"})
_W2: Final = frozenset({"w2"})

# As in figure 1: the figure is a median of many runs (make bench-router), one run is broken only beyond the bound.
_FIGURE_MS: Final = 100.0
_BOUND_MS: Final = 500.0


@dataclass(frozen=True, slots=True)
class _Told:
    """What this figure makes of an act of figure 2."""

    story: str
    remote: RemotePromise


_TOLD: Final = {
    "start": _Told(
        f"The agents start; both machines get {VIP}. One adapter is to answer the LAN: w1 has two of them.",
        RemotePromise(_BOTH),
    ),
    "quiet": _Told(
        "Two seconds without a fault. w1 answers the LAN; the router spreads remote clients over both machines.",
        RemotePromise(_BOTH),
    ),
    "cable": _Told(
        "The cable of 10.1.1.4 is pulled. 10.1.1.5 answers; remote clients come by it and by w2. Sessions go on.",
        RemotePromise(_BOTH, _FIGURE_MS, _BOUND_MS),
    ),
    "path": _Told(
        "The path of 10.1.1.5 goes silent. w2 has the address already: it only begins to answer the LAN too.",
        RemotePromise(_W2, _FIGURE_MS, _BOUND_MS),
    ),
    "return": _Told(
        "Cable and path are back. After the failback delay w1 answers the LAN; remote clients come to both.",
        RemotePromise(_BOTH),
    ),
    "power": _Told(
        "w1 loses power without a farewell. w2 answers everybody.", RemotePromise(_W2, _FIGURE_MS, _BOUND_MS)
    ),
    "boot": _Told(
        "w1 boots and gets the address anew. After the failback delay it answers the LAN again.", RemotePromise(_BOTH)
    ),
    "stop": _Told(
        "The agent on w1 is asked to stop. w2 answers first, the router is told; then w1 lets go of the address.",
        RemotePromise(_W2),
    ),
}

ACTS_OF_SYSTEMS: Final[tuple[Act, ...]] = tuple(
    replace(act, story=_TOLD[act.key].story, remote=_TOLD[act.key].remote) for act in ACTS if act.key in _TOLD
)

DRAWING: Final = f"""\
 remote clients ── router          w1: {VIP}        w2: {VIP}
 client 10.1.1.100   │         10.1.1.4  10.1.1.5     10.1.1.6
        │            │            │         │            │
     ───┴────────────┴────────────┴─────────┴────────────┴───  LAN
     "who has {VIP}?"  one adapter of the machine with two answers;
     the router sends remote clients to all three
"""


def attend(playground: Playground) -> None:
    """The router gets a second leg with remote clients beyond it, and its daemon; the local client stays."""
    remote = Remote(playground.lab, playground.scenario)
    playground.remote = remote.client
    playground.others.append(remote.start())
