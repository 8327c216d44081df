"""From what a router's kernel has to what it is to have, in few steps."""

from hypothesis import given
from hypothesis import strategies as st

from vipa.remote.groups import GROUP_BASE, HOP_BASE, Steps, Table, plan
from vipa.remote.hearing import End, Hop, Way

A, B, C = (Hop(f"10.1.1.{n}", "eth1") for n in (4, 5, 6))
VIPS = tuple(f"10.1.2.{n}" for n in range(50))
GROUP = GROUP_BASE + 1


def test_virtual_ips_that_go_the_same_way_share_a_group() -> None:
    steps, after = plan(Table(), dict.fromkeys(VIPS, (A, B)))
    assert [hop for _, hop in steps.add_hops] == [A, B]
    assert steps.set_groups == ((GROUP, (HOP_BASE + 1, HOP_BASE + 2)),)
    assert len(steps.set_routes) == len(VIPS)
    assert set(after.routes.values()) == {GROUP}


def test_an_adapters_failure_is_one_change_for_all_routes() -> None:
    _, there = plan(Table(), dict.fromkeys(VIPS, (A, B)))
    steps, _ = plan(there, dict.fromkeys(VIPS, (B,)))
    assert steps == Steps(set_groups=((GROUP, (HOP_BASE + 2,)),), drop=(HOP_BASE + 1,))


def test_a_machines_failure_too() -> None:
    _, there = plan(Table(), dict.fromkeys(VIPS, (A, B)))
    steps, after = plan(there, dict.fromkeys(VIPS, (C,)))
    assert not steps.set_routes
    assert after.groups == {GROUP: (C,)}


def test_one_that_moves_alone_takes_another_group() -> None:
    _, there = plan(Table(), dict.fromkeys(VIPS, (A, B)))
    steps, after = plan(there, dict.fromkeys(VIPS, (A, B)) | {VIPS[3]: (C,)})
    assert steps.set_routes == ((VIPS[3], GROUP + 1),)
    assert after.groups == {GROUP: (A, B), GROUP + 1: (C,)}


def test_a_way_without_hops_and_one_that_stays() -> None:
    _, there = plan(Table(), {VIPS[0]: (A,), VIPS[1]: (B,)})
    steps, after = plan(there, {VIPS[0]: End.REFUSED, VIPS[1]: None})
    assert steps.set_routes == ((VIPS[0], End.REFUSED),)
    assert after.routes == {VIPS[0]: End.REFUSED, VIPS[1]: GROUP + 1}
    steps, after = plan(after, {})
    assert (steps.drop_routes, after) == ((VIPS[0], VIPS[1]), Table())


def test_the_families_never_share() -> None:
    six = Hop("fd00::4", "eth1")
    _, after = plan(Table(), {"10.1.1.7": (A,), "fd00::7": (six,)})
    assert sorted(after.groups.values()) == [(A,), (six,)]


ways = st.dictionaries(
    st.sampled_from(VIPS[:6]),
    st.one_of(
        st.none(), st.sampled_from(End), st.lists(st.sampled_from((A, B, C)), min_size=1, unique=True).map(tuple)
    ),
)


@given(st.lists(ways, max_size=6))
def test_whatever_came_before_every_route_goes_its_way(history: list[dict[str, Way | None]]) -> None:
    table = Table()
    for wanted in history:
        before = table
        steps, table = plan(before, wanted)
        for vip, way in wanted.items():
            at = table.routes.get(vip)
            if way is not None:
                assert (table.groups[at] if isinstance(at, int) else at) == way
        assert table.routes.keys() <= wanted.keys()
        assert {at for at in table.routes.values() if isinstance(at, int)} == table.groups.keys()
        assert {hop for hops in table.groups.values() for hop in hops} == table.hops.keys()
        assert bool(steps) == (table != before)
