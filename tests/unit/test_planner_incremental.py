"""A planner that followed changes one by one says the same as one that is told all at once."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vipa.plan import PlannedVip, Refusal
from vipa.planner import InterfaceView, NodeView, Planner, World, plan
from vipa.reasons import Reason
from vipa.resources import (
    Fallback,
    LabelSelector,
    ListEntry,
    ObjectMeta,
    PreferredInterfaceList,
    PreferredInterfaceListSpec,
    VirtualIP,
    VirtualIPSpec,
)

# Few values, so that everything collides with everything.
hosts = st.integers(1, 30).map(lambda i: f"10.1.{i % 2}.{i}")
node_names = st.sampled_from(["w1", "w2", "w3", "w4"])
interface_names = st.sampled_from(["eth0", "eth1", "ens3"])
globs = st.sampled_from(["eth*", "ens3", "*", "x*"])
labels = st.dictionaries(st.sampled_from(["rack", "disk"]), st.sampled_from(["a", "b"]), max_size=2)
selectors = st.builds(LabelSelector, match_labels=labels)
created = st.sampled_from(["", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"])

entries = st.one_of(
    st.builds(ListEntry, address=hosts),
    st.builds(ListEntry, node=node_names, interface=interface_names),
    st.builds(ListEntry, node_selector=selectors, interface=globs),
    st.builds(ListEntry, address=hosts, node=node_names),  # ambiguous: a refused list
)
interfaces = st.builds(
    InterfaceView,
    name=interface_names,
    addresses=st.lists(st.builds("{}/{}".format, hosts, st.sampled_from([16, 24, 32])), max_size=3).map(tuple),
)
nodes = st.builds(
    NodeView,
    name=node_names,
    labels=labels,
    interfaces=st.lists(interfaces, max_size=3, unique_by=lambda i: i.name).map(tuple),
    eligible=st.booleans() | st.just(True),
)
lists = st.builds(
    PreferredInterfaceList,
    metadata=st.builds(ObjectMeta, name=st.sampled_from(["l", "m"]), creation_timestamp=created),
    spec=st.builds(
        PreferredInterfaceListSpec,
        interfaces=st.lists(entries, min_size=1, max_size=5).map(tuple),
        fallback=st.sampled_from(Fallback),
    ),
)
vips = st.builds(
    VirtualIP,
    metadata=st.builds(ObjectMeta, name=st.sampled_from("abcdef"), creation_timestamp=created),
    spec=st.builds(
        VirtualIPSpec,
        addresses=st.tuples(hosts | st.sampled_from(["10.1.0.255", "nonsense", "fd00::7"])),
        preferred_interface_list=st.sampled_from(["", "l", "m", "missing"]),
        node_selector=st.just(LabelSelector()) | selectors,
        interfaces=st.just(()) | st.tuples(globs),
        paused=st.booleans(),
    ),
)
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
