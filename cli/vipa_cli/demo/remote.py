"""Figure 1, act by act: remote clients behind a router that sends to whichever adapters of the one machine are well."""

from dataclasses import replace
from typing import Final

from vipa_cli.demo.acts import FIRST, SECOND, VIP, Act, Promise
from vipa_cli.demo.situation import Situation
from vipa_cli.playground import Playground
from vipa_lab.remote import Remote

LAST: Final = "w1/eth3"
_W1: Final = frozenset({"w1"})
_HOME: Final = Situation(serves=FIRST)

# The promised figure is a median over many runs on a quiet machine (make bench-router); one run on a busy one is called
# broken only beyond the bound.
_MOVED: Final = Promise("≤ 100 ms, TCP lives", figure_ms=100.0, bound_ms=500.0, tcp_lives=True)
_NOTHING: Final = Promise("0 lost", nothing_lost=True)

# Longer than a router would wait for another holder, where there could be one.
_KILLED_S: Final = 4.0
_QUIET_S: Final = 2.0

BEFORE_REMOTE: Final = Situation(serves="", stopped=_W1)

ACTS_OF_REMOTE: Final[tuple[Act, ...]] = (
    Act(
        "start",
        "the agent starts",
        f"The agent starts. The router hears of three adapters that take what is for {VIP}.",
        _HOME,
        Promise("one answers"),
        cold=True,
    ),
    Act(
        "quiet",
        "nothing happens",
        f"Two seconds without a fault. A client behind the router asks {VIP} every 2 ms.",
        _HOME,
        _NOTHING,
        held_s=_QUIET_S,
    ),
    Act(
        "cable",
        "cable of 10.1.1.4 pulled",
        "The cable of 10.1.1.4 is pulled. The router goes on with 10.1.1.5 and 10.1.1.6; sessions go on.",
        Situation(serves=SECOND, pulled=frozenset({FIRST})),
        _MOVED,
    ),
    Act(
        "path",
        "path of 10.1.1.5 dead",
        "The path of 10.1.1.5 goes silent while its link stays up. 10.1.1.6 is left, for everybody.",
        Situation(serves=LAST, pulled=frozenset({FIRST}), blocked=frozenset({SECOND})),
        _MOVED,
    ),
    Act(
        "return",
        "both adapters come back",
        "Cable and path are back. The router sends new clients to all three again; the others stay where they are.",
        _HOME,
        _NOTHING,
    ),
    Act(
        "kill",
        "agent killed",
        "The agent is killed. The machine serves on; as no other could take over, the router changes nothing.",
        Situation(serves=FIRST, killed=_W1),
        _NOTHING,
        held_s=_KILLED_S,
    ),
    Act("restart", "agent starts again", "The agent starts again and takes over what is there.", _HOME, _NOTHING),
)

DRAWING: Final = f"""\
 client 10.9.9.2 ── router ─┬── 10.1.1.4 ─┐
                    {VIP}: ├── 10.1.1.5 ─┤ w1: {VIP}
                  .4, .5, .6└── 10.1.1.6 ─┘
"""


def attend(playground: Playground) -> None:
    """The router gets a second leg with a client beyond it, and its daemon."""
    remote = Remote(playground.lab, playground.scenario)
    playground.scenario = replace(playground.scenario, client=remote.client)
    playground.others.append(remote.start())
