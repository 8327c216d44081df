"""Negative controls of the demo: what breaks a promise must be seen by its instruments, and be called broken."""

from dataclasses import replace

from vipa_cli.demo.acts import ACTS, FIRST, SECOND, Act, Promise
from vipa_cli.demo.command import exit_code
from vipa_cli.demo.director import Director
from vipa_cli.demo.figures import FIGURES
from vipa_cli.demo.judge import Verdict
from vipa_cli.demo.plain import Silent
from vipa_cli.demo.situation import Situation
from vipa_cli.playground import Playground
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic

START = ACTS[0]
ON_W2 = Situation("w2/eth1", off=frozenset({"w1"}))
BOTH = frozenset({"w1", "w2"})
# Long enough for the instruments to see what is wrong; nothing is to become right.
SEEN_S = 2.0

LOSSY = Act("power", "w1 loses power", "", ON_W2, Promise("", nothing_lost=True))
DOUBLE = Act("double", "a foreign machine has the address", "", ON_W2, Promise(""), held_s=SEEN_S, limit_s=SEEN_S)
# What the foreign machine still says while it goes is between two acts, and counted in the one that follows.
GONE = Act("gone", "the foreign machine is gone", "", ON_W2, Promise(""))
DARK = Act("dark", "all is dark", "", Situation("w1/eth1", off=BOTH), Promise(""), limit_s=SEEN_S)


class Intruder(Silent):
    """A foreign machine has the virtual IP as long as DOUBLE is played."""

    def __init__(self, foreign: Nic) -> None:
        self._foreign = foreign
        self._intrudes = False

    def act(self, number: int, act: Act, *, again: bool) -> None:
        if self._intrudes:
            self._foreign.remove_address("10.1.1.7/32")
        self._intrudes = act is DOUBLE
        if self._intrudes:
            self._foreign.add_address("10.1.1.7/32")


def test_what_breaks_a_promise_is_seen_and_called_broken(lab: Lab) -> None:
    playground = Playground(lab)
    foreign = lab.add_station("x1").add_nic(playground.scenario.lan, "10.1.1.50/24")
    director = Director(playground, Intruder(foreign))
    director.run((START, LOSSY, DOUBLE, GONE, DARK))
    rows = director.story.rows
    latest = {row.key: row for row in rows}

    assert latest["start"].verdict is Verdict.KEPT

    lossy = latest["power"]
    # LATE where this machine was held up in both runs: then loss alone does not condemn.
    assert lossy.verdict in (Verdict.BROKEN, Verdict.LATE)
    assert any("datagrams were lost" in why for why in lossy.why)
    assert lossy.took_over == "w2/eth1"
    assert lossy.lost > 0

    double = latest["double"]
    assert (double.verdict, double.answerers) == (Verdict.BROKEN, 2)
    assert any("two answered at once" in why for why in double.why)
    assert exit_code([latest["start"], double]) == 1

    dark = latest["dark"]
    assert (dark.verdict, dark.answerers, dark.took_over) == (Verdict.BROKEN, 0, "")
    assert "nobody does" in dark.why[0]


def test_figure_1_is_played_from_behind_a_router(lab: Lab) -> None:
    figure = FIGURES[1]
    playground = Playground(lab, stage=figure.stage)
    figure.attend(playground)
    acts = {act.key: act for act in figure.acts}
    director = Director(playground, Silent(), before=figure.before)
    director.run((acts["start"], acts["cable"]))
    row = director.story.rows[-1]
    assert (row.took_over, row.answerers) == (SECOND, 1)
    # LATE where this machine was held up in both runs.
    assert row.verdict in (Verdict.KEPT, Verdict.SLOW, Verdict.LATE), row.why


def test_figure_3_is_played_for_the_lan_and_from_behind_a_router(lab: Lab) -> None:
    figure = FIGURES[3]
    playground = Playground(lab, stage=figure.stage, binding=figure.binding)
    figure.attend(playground)
    acts = {act.key: act for act in figure.acts}
    director = Director(playground, Silent(), before=figure.before)
    director.run((acts["start"], acts["cable"], acts["power"]))
    latest = {row.key: row for row in director.story.rows}
    by = {key: row.remote.by.keys() for key, row in latest.items() if row.remote is not None}
    assert by == {"start": {"w1", "w2"}, "cable": {"w1", "w2"}, "power": {"w2"}}
    assert {key: row.took_over for key, row in latest.items()} == {"start": FIRST, "cable": SECOND, "power": "w2/eth1"}
    # LATE where this machine was held up in both runs.
    assert all(row.verdict is not Verdict.BROKEN for row in latest.values()), [row.why for row in latest.values()]


def test_remote_clients_who_come_to_one_machine_only_are_seen_and_called_broken(lab: Lab) -> None:
    figure = FIGURES[3]
    playground = Playground(lab, stage=figure.stage)  # the address is on the holder alone
    figure.attend(playground)
    start = next(act for act in figure.acts if act.key == "start")
    director = Director(playground, Silent(), before=figure.before)
    director.run((replace(start, limit_s=SEEN_S),))
    (row,) = director.story.rows
    assert row.verdict is Verdict.BROKEN
    assert "remote clients are answered by w1, and should be by w1 and w2" in row.why
