"""A node's share of a plan survives the wire exactly, and one bad assignment costs nothing but itself."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipa.plan import CheckKind, Endpoint, FailbackPolicy, HealthCheck, Plan, PlannedVip, Policy
from vipa.reasons import Reason
from vipa.resources.assigned import AssignedError, assignment_of, duration_text, plan_of, shares, spec_of, vip_of
from vipa.resources.durations import DURATION_MAX_S, parse_duration_s
from vipa.resources.healthcheck import AssignedCheck
from vipa.resources.node import AssignedEndpoint, Assignment, VirtualIPNodeSpec
from vipa.timing import Timing

thorough = settings(max_examples=150, deadline=None)

NODES = ("w1", "w2", "rack-b.w3")


def endpoint(number: int, node: str) -> Endpoint:
    return Endpoint(f"10.1.1.{number}", node, f"eth{number}" if node else "")


endpoints = st.builds(endpoint, st.integers(1, 90), st.sampled_from([*NODES, ""]))
delays = st.integers(0, int(DURATION_MAX_S) * 10**9).map(lambda ns: ns / 1e9)
policies = st.builds(
    Policy,
    timing=st.sampled_from(Timing),
    failback=st.sampled_from(FailbackPolicy),
    failback_delay_s=delays,
    probe_targets=st.lists(st.sampled_from(["10.1.1.254", "10.1.1.253"]), unique=True).map(tuple),
    paused=st.booleans(),
)


checks = st.builds(
    HealthCheck,
    kind=st.sampled_from(CheckKind),
    port=st.integers(1, 65535),
    path=st.just("/ready"),
    loopback=st.booleans(),
    interval_s=st.integers(10**8, 3600 * 10**9).map(lambda ns: ns / 1e9),
    timeout_s=st.integers(10**7, 60 * 10**9).map(lambda ns: ns / 1e9),
    rise=st.integers(1, 10),
    fall=st.integers(1, 10),
).map(lambda check: msgspec.structs.replace(check, path="") if check.kind is CheckKind.TCP else check)


def planned(
    number: int, succession: list[Endpoint], policy: Policy, asked: list[HealthCheck], everywhere: bool
) -> PlannedVip:
    return PlannedVip(f"vip-{number:02}", (f"10.1.2.{number}",), tuple(succession), policy, tuple(asked), everywhere)


vips = st.builds(
    planned,
    st.integers(1, 30),
    st.lists(endpoints, min_size=1, max_size=5, unique_by=lambda e: e.address),
    policies,
    st.lists(checks, max_size=3, unique=True),
    st.booleans(),
)
plans = st.builds(
    Plan,
    epoch=st.integers(0, 2**53),
    vips=st.lists(vips, max_size=6, unique_by=lambda v: v.name).map(lambda v: tuple(sorted(v, key=lambda p: p.name))),
)


@thorough
@given(plans)
def test_every_node_reads_exactly_what_was_planned_for_it(plan: Plan) -> None:
    by_node = shares(plan)
    for node in NODES:
        mine = tuple(v for v in plan.vips if any(e.node == node for e in v.succession))
        spec = spec_of(plan, node)
        wire = msgspec.json.decode(msgspec.json.encode(spec), type=VirtualIPNodeSpec)
        assert by_node.get(node, ()) == spec.assignments
        assert plan_of(wire) == Plan(plan.epoch, mine)
        assert [(v.id, v.digest) for v in plan_of(wire).vips] == [(v.id, v.digest) for v in mine]


@thorough
@given(st.floats(0, DURATION_MAX_S))
def test_any_delay_is_told_to_the_nanosecond_and_then_stays(delay_s: float) -> None:
    read = parse_duration_s(duration_text(delay_s))
    assert abs(read - delay_s) < 1e-9
    assert parse_duration_s(duration_text(read)) == read


def test_delays_are_short_texts() -> None:
    assert [duration_text(s) for s in (0.0, 30.0, 100.0, 0.5, 86400.0)] == ["0s", "30s", "100s", "0.5s", "86400s"]
    for wrong in (-1.0, DURATION_MAX_S + 1, float("nan")):
        with pytest.raises(ValueError, match="no duration"):
            duration_text(wrong)


ERP = PlannedVip("erp", ("10.1.1.7",), (Endpoint("10.1.1.4", "w1", "eth1"), Endpoint("10.1.1.5", "w2", "eth1")))
GOOD = assignment_of(ERP)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "ERP"}, "name: ERP: no name of a virtual IP"),
        ({"addresses": ()}, "addresses: missing"),
        ({"addresses": ("10.1.1.300",)}, "addresses[0]: 10.1.1.300: not an IPv4 address"),
        ({"addresses": ("10.1.1.7", "10.1.1.8")}, "one IPv4 address, one IPv6 address"),
        ({"addresses": ("2001:db8::7", "10.1.1.7")}, "IPv4 first"),
        ({"succession": ()}, "succession: 0 endpoints: must have 1 to 64"),
        ({"succession": GOOD.succession * 2}, "succession[2]: 10.1.1.4: named twice"),
        ({"succession": (AssignedEndpoint("10.1.1.7", "w1", "eth1"),)}, "is the virtual IP itself"),
        ({"succession": (AssignedEndpoint("10.1.1.4", "w1"),)}, "succession[0].interface: missing"),
        ({"succession": (AssignedEndpoint("10.1.1.4", "W 1", "eth1"),)}, "succession[0].node: W 1: no node name"),
        ({"succession": (AssignedEndpoint("10.1.1.4", "w1", "e" * 16),)}, "longer than the 15 characters"),
        ({"succession": (AssignedEndpoint("127.0.0.1", "w1", "eth1"),)}, "a loopback address"),
        ({"failback": msgspec.structs.replace(GOOD.failback, delay="soon")}, "failback.delay: soon: no duration"),
        ({"health_checks": (AssignedCheck(CheckKind.TCP, 80, fall=1, interval="1ms"),)}, "[0].interval: 1ms: must be"),
        ({"health_checks": (AssignedCheck(CheckKind.HTTP, 80, "a b"),)}, "healthChecks[0].http.path: a b: must start"),
        ({"probe_targets": ("10.1.1",)}, "probeTargets[0]: 10.1.1: not an IP address"),
    ],
)
def test_nonsense_is_refused_with_field_value_and_remedy(change: dict[str, object], message: str) -> None:
    bad = msgspec.structs.replace(GOOD, **change)
    with pytest.raises(AssignedError) as refused:
        vip_of(bad)
    assert message in str(refused.value)


def test_a_bad_assignment_keeps_the_last_good_one_and_touches_no_other() -> None:
    shop = PlannedVip("shop", ("10.1.1.8",), ERP.succession)
    before = Plan(4, (ERP, shop))
    bad = msgspec.structs.replace(GOOD, succession=())
    moved = PlannedVip("shop", ("10.1.1.8",), ERP.succession[::-1])
    after = plan_of(VirtualIPNodeSpec(5, (bad, assignment_of(moved))), before)
    assert after.vips == (ERP, moved)
    assert [(r.name, r.reason) for r in after.refusals] == [("erp", Reason.INVALID)]
    assert plan_of(VirtualIPNodeSpec(5, (bad,))).vips == ()


def test_what_is_no_longer_assigned_is_gone_without_a_word() -> None:
    assert plan_of(VirtualIPNodeSpec(5), Plan(4, (ERP,))) == Plan(5)


def test_an_address_or_a_name_assigned_twice_belongs_to_the_first() -> None:
    other = msgspec.structs.replace(GOOD, name="thief")
    found = plan_of(VirtualIPNodeSpec(5, (GOOD, other, GOOD)))
    assert found.vips == (ERP,)
    assert [r.message for r in found.refusals] == [
        "name: erp: assigned twice; a virtual IP has one assignment",
        "addresses[0]: 10.1.1.7: already assigned to erp; an address belongs to one virtual IP",
    ]


def test_a_kept_version_never_brings_an_address_twice() -> None:
    heir = Assignment("heir", ERP.addresses, GOOD.succession)
    bad = msgspec.structs.replace(GOOD, succession=())
    found = plan_of(VirtualIPNodeSpec(5, (bad, heir)), Plan(4, (ERP,)))
    assert [v.name for v in found.vips] == ["heir"]
