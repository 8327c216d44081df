"""Whatever arrives, reading and judging it never raises, and only a valid object comes out."""

import re

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vipa.resources import API_VERSION, KINDS, read_object, validate

# No deadlines: how long an example takes says nothing on a busy machine.
patient = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["10.1.1.7", "30s", "eth0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(), inner, max_size=4),
    max_leaves=12,
)

# Every field name of every type (and the schema's own words, which are unknown fields).
FIELDS = sorted({name for cls in KINDS.values() for name in re.findall(r"'(\w+)':", str(msgspec.json.schema(cls)))})
WORDS = ["Holder", "Single", "VirtualEthernet", "Never", "In", "10.1.1.7", "fd00::7", "30s", "eth0", "w1", "1-2", ""]

object_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=30,
)


@patient
@given(json_like)
def test_anything_at_all_is_judged(raw: object) -> None:
    read = read_object(raw)
    assert (read.obj is None) == bool(read.problems)
    assert all(str(p) for p in read.problems)


@patient
@given(
    kind=st.sampled_from(sorted(KINDS)),
    metadata=st.just({"name": "erp"}) | object_like,
    spec=object_like | st.dictionaries(st.sampled_from(FIELDS), object_like, max_size=5),
    status=st.none() | json_like,
)
def test_anything_with_our_field_names_is_judged(kind: str, metadata: object, spec: object, status: object) -> None:
    read = read_object({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": status})
    assert (read.obj is None) == bool(read.problems)
    if read.obj is not None:
        assert validate(read.obj) == []
    for problem in read.problems:
        assert problem.message
        assert len(problem.value) <= 60


def test_absurd_sizes_are_judged_quickly_and_briefly() -> None:
    deep: object = []
    for _ in range(100_000):
        deep = [deep]
    spec = {"addresses": deep, "pool": "x" * 1_000_000, "paused": 10**5000, "y" * 1_000_000: 1}
    read = read_object({"apiVersion": API_VERSION, "kind": "VirtualIP", "metadata": {"name": "erp"}, "spec": spec})
    assert read.obj is None
    assert all(len(str(p)) < 500 for p in read.problems)
    while isinstance(deep, list) and deep:  # freeing it at once would recurse
        deep = deep.pop()
