"""What the cluster commands say happens next, on recorded objects."""

from collections.abc import Callable

import pytest

from unit.fakes.recorded import Object, vip
from vipa.timing import PROFILES, Timing, node_death_s
from vipa_cli.cluster import foresee


def fail(*places: int) -> Callable[[Object], object]:
    """Those candidates, by place in the succession, are not healthy."""

    def change(thing: Object) -> None:
        for place in places:
            thing["status"]["succession"][place]["healthy"] = False

    return change


def takes_over(thing: Object) -> list[str]:
    return [each.successor for each in foresee.foresee(thing)]


def test_who_takes_over() -> None:
    assert takes_over(vip()) == ["w1/eth2", "w2/eth1", "w2/eth1"]
    assert takes_over(vip("erp", fail(1))) == ["w2/eth1", "w2/eth1", "w2/eth1"]
    assert takes_over(vip("erp", fail(2))) == ["w1/eth2", "", ""]
    assert takes_over(vip("erp", fail(1, 2))) == ["", "", ""]
    assert takes_over(vip("web")) == []


def test_paused_means_nobody() -> None:
    nexts = foresee.foresee(vip("erp", lambda v: v["spec"].update(paused=True)))
    assert [(each.successor, "paused" in each.how) for each in nexts] == [("", True)] * 3


@pytest.mark.parametrize("timing", list(Timing))
def test_times_are_those_of_the_formula(timing: Timing) -> None:
    _, death, killed = foresee.foresee(vip("erp", lambda v: v["spec"].update(timing=timing.value)))
    profile = PROFILES[timing]
    assert death.how.startswith(f"within {node_death_s(profile) * 1000:.0f} ms")
    assert f"{profile.permit_s * 1000:.0f} ms at most" in killed.how


def test_after_an_in_node_move_it_goes_on_to_a_better_node() -> None:
    def swap(thing: Object) -> None:
        order = thing["status"]["succession"]
        order[1], order[2] = order[2], order[1]

    assert "hands over to w2/eth1" in foresee.foresee(vip("erp", swap))[0].how


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: None, "it is on the best candidate; after a failure it comes back when it has been healthy for 30s"),
        (lambda v: v["status"]["holder"].update(node="w2", interface="eth1"), "to w1/eth1, when it has been healthy"),
        (lambda v: v["spec"]["failback"].update(policy="Never"), "never by itself"),
        (lambda v: v["spec"].update(paused=True), "paused"),
        (lambda v: v["spec"]["failback"].update(policy="Immediate"), "at once"),
        (lambda v: v["status"].update(move={"to": "w2", "phase": "Done"}), "was moved to w2 by hand"),
    ],
)
def test_failback(change: Callable[[Object], object], says: str) -> None:
    assert says in foresee.failback(vip("erp", change))
