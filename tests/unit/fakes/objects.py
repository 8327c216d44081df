"""Hypothesis strategies for what a planner looks at: few values, so that everything collides with everything."""

from hypothesis import strategies as st

from vipa.planner import InterfaceView, NodeView
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
