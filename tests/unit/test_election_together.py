"""Actions of one step are gathered where that changes nothing."""

from hypothesis import given
from hypothesis import strategies as st

from vipa.election import actions as act
from vipa.election.announcing import Pacer
from vipa.election.together import gathered

PERMIT_S = 0.5


def bind(vip: str) -> act.Bind:
    return act.Bind(vip, (f"10.1.2.{vip[1:]}",), ("eth1",))


def unbind(vip: str) -> act.Unbind:
    return act.Unbind(vip, (f"10.1.2.{vip[1:]}",))


def permit(vip: str, interface: str = "eth1") -> act.Permit:
    return act.Permit(vip, (f"10.1.2.{vip[1:]}",), interface, PERMIT_S)


def revoke(vip: str) -> act.Revoke:
    return act.Revoke(vip, (f"10.1.2.{vip[1:]}",), "eth1")


def test_of_one_kind_are_one() -> None:
    assert gathered([bind("v1"), bind("v2"), bind("v3")]) == [act.Together((bind("v1"), bind("v2"), bind("v3")))]


def test_one_alone_stays_as_it_is() -> None:
    apart: list[act.Action] = [bind("v1"), revoke("v2")]
    assert gathered(apart) == apart


def test_two_steps_of_many_are_two() -> None:
    mixed: list[act.Action] = [revoke("v1"), unbind("v1"), revoke("v2"), unbind("v2")]
    assert gathered(mixed) == [act.Together((revoke("v1"), revoke("v2"))), act.Together((unbind("v1"), unbind("v2")))]


def test_on_another_interface_is_another_transaction() -> None:
    assert gathered([permit("v1"), permit("v2", "eth2")]) == [permit("v1"), permit("v2", "eth2")]


def test_nothing_overtakes_what_was_asked_for_the_same_before() -> None:
    back: list[act.Action] = [bind("v1"), unbind("v2"), bind("v2")]
    assert gathered(back) == back


def test_what_the_gate_and_the_renewals_are_told_keeps_its_place() -> None:
    renew = act.Renew(())
    around: list[act.Action] = [permit("v1"), renew, permit("v2")]
    assert gathered(around) == around


def made(kind: int, vip: str) -> act.Action:
    return (bind, unbind, permit, revoke)[kind](vip) if kind < 4 else act.Renew(())


@given(st.lists(st.builds(made, st.integers(0, 4), st.sampled_from(["v1", "v2", "v3"]))))
def test_for_each_virtual_ip_the_order_stays(wanted: list[act.Action]) -> None:
    every = [a for each in gathered(wanted) for a in (each.actions if isinstance(each, act.Together) else (each,))]
    for vip in ("v1", "v2", "v3"):
        assert [a for a in every if getattr(a, "vip", vip) == vip] == [
            a for a in wanted if getattr(a, "vip", vip) == vip
        ]


def test_a_burst_goes_at_once_and_the_rest_at_its_pace() -> None:
    pacer = Pacer(per_s=100.0, burst=3)
    turns = [pacer.turn(5.0) for _ in range(6)]
    assert turns[:3] == [5.0, 5.0, 5.0]
    assert [round(t - 5.0, 6) for t in turns[3:]] == [0.01, 0.02, 0.03]
    assert pacer.turn(9.0) == 9.0
