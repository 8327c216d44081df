"""A planner that followed changes one by one says the same as one that is told all at once."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.fakes.objects import lists, nodes, vips
from vipa.plan import PlannedVip, Refusal
from vipa.planner import NodeView, Planner, World, plan
from vipa.reasons import Reason

refusals = st.sampled_from(["l", "m"]).map(
    lambda name: Refusal("PreferredInterfaceList", name, Reason.INVALID, "unreadable")
)
changes = st.one_of(
    st.builds(lambda v: {"vips": {v.metadata.name: v}}, vips),
    st.builds(lambda n: {"vips": {n: None}}, st.sampled_from("abcdef")),
    st.builds(lambda p: {"lists": {p.metadata.name: p}}, lists),
    st.builds(lambda n: {"lists": {n: None}}, st.sampled_from(["l", "m"])),
    st.builds(lambda n: {"nodes": n}, st.lists(nodes, max_size=4, unique_by=lambda n: n.name).map(tuple)),
    st.builds(lambda r: {"refused": r}, st.lists(refusals, max_size=1).map(tuple)),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.lists(changes, min_size=1, max_size=3), max_size=8))
def test_the_way_to_a_world_does_not_matter(steps: list[list[dict[str, Any]]]) -> None:
    planner = Planner()
    held: dict[str, dict[str, Any]] = {"vips": {}, "lists": {}}
    nodes_now: tuple[NodeView, ...] = ()
    refused: tuple[Refusal, ...] = ()
    for step in steps:
        update: dict[str, Any] = {}
        for change in step:
            for key, value in change.items():
                update[key] = {**update.get(key, {}), **value} if isinstance(value, dict) else value
        before = dict(planner.answers)
        touched = planner.update(**update)
        for key in ("vips", "lists"):
            held[key] = {n: o for n, o in {**held[key], **update.get(key, {})}.items() if o is not None}
        nodes_now, refused = update.get("nodes", nodes_now), update.get("refused", refused)
        # What was not worked out again is what it was.
        assert {n: a for n, a in before.items() if n not in touched} == {
            n: a for n, a in planner.answers.items() if n not in touched
        }
    world = World(tuple(held["vips"].values()), tuple(held["lists"].values()), nodes_now, refused)
    expected = plan(world)
    assert tuple(a for _, a in sorted(planner.answers.items()) if isinstance(a, PlannedVip)) == expected.vips
    assert planner.refusals() == expected.refusals
