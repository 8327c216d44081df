"""Negative controls of the demo: what breaks a promise must be seen by its instruments, and be called broken."""

from vipa_cli.demo.acts import ACTS, FIRST, Act, Promise
from vipa_cli.demo.command import exit_code
from vipa_cli.demo.director import Director
from vipa_cli.demo.judge import Row, Verdict
from vipa_cli.demo.plain import Silent
from vipa_cli.demo.situation import Situation
from vipa_cli.playground import Playground
from vipa_lab.host import Host
from vipa_lab.lab import Lab

START, QUIET = ACTS[0], ACTS[1]
BOTH = frozenset({"w1", "w2"})


class Intruder(Silent):
    """Gives the virtual IP to a foreign machine when the second act begins."""

    def __init__(self, foreign: Host) -> None:
        self._foreign = foreign

    def act(self, number: int, act: Act, *, again: bool) -> None:
        if number == 2:
            self._foreign.nics["eth1"].add_address("10.1.1.7/32")


def play(director: Director, *acts: Act) -> Row:
    director.run(acts)
    return director.story.rows[-1]


def test_a_second_answerer_is_seen_and_counted(lab: Lab) -> None:
    playground = Playground(lab)
    foreign = lab.add_station("x1")
    foreign.add_nic(playground.scenario.lan, "10.1.1.50/24")
    director = Director(playground, Intruder(foreign))
    row = play(director, START, QUIET)
    assert (row.verdict, row.answerers) == (Verdict.BROKEN, 2)
    assert any("two answered at once" in why for why in row.why)
    assert exit_code(director.story.rows) == 1


def test_a_lost_datagram_is_seen_where_none_may_be(lab: Lab) -> None:
    strict = Act(
        "power", "w1 loses power", "", Situation("w2/eth1", off=frozenset({"w1"})), Promise("", None, None, True)
    )
    row = play(Director(Playground(lab), Silent()), START, strict)
    # LATE where this machine was held up in both runs: then loss alone does not condemn.
    assert row.verdict in (Verdict.BROKEN, Verdict.LATE)
    assert any("datagrams were lost" in why for why in row.why)
    assert row.took_over == "w2/eth1"
    assert row.lost > 0


def test_nobody_serving_is_seen(lab: Lab) -> None:
    nobody = Act("dark", "all is dark", "", Situation(FIRST, off=BOTH), Promise(""), limit_s=2.0)
    row = play(Director(Playground(lab), Silent()), START, nobody)
    assert (row.verdict, row.answerers, row.took_over) == (Verdict.BROKEN, 0, "")
    assert "nobody does" in row.why[0]
