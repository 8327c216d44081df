"""Durations, selectors, addresses with prefix length, and the spelling on the wire."""

import msgspec
import pytest

from vipa.plan import FailbackPolicy
from vipa.resources import LabelSelector, VirtualIP, VirtualIPNode, VirtualIPSpec
from vipa.resources.addresses import AddressError, parse_own
from vipa.resources.durations import DurationError, parse_duration_s
from vipa.resources.ranges import parse_range
from vipa.resources.selectors import Operator, Requirement
from vipa.resources.virtualip import Failback, TransitionStatus, VirtualIPStatus


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("0s", 0), ("1.5s", 1.5), ("24h", 86400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "-1s", "1 s", "1s ", "1d", "s1", "1s2", "99999999999s", "25h", "٣s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration_s(text)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        (LabelSelector(), True),
        (LabelSelector(match_labels={"rack": "b"}), True),
        (LabelSelector(match_labels={"rack": "a"}), False),
        (LabelSelector(match_labels={"rack": "b", "disk": "ssd"}), False),
        (LabelSelector(match_expressions=(Requirement("rack", Operator.IN, ("a", "b")),)), True),
        (LabelSelector(match_expressions=(Requirement("rack", Operator.NOT_IN, ("a", "b")),)), False),
        (LabelSelector(match_expressions=(Requirement("disk", Operator.NOT_IN, ("ssd",)),)), True),
        (LabelSelector(match_expressions=(Requirement("rack", Operator.EXISTS),)), True),
        (LabelSelector(match_expressions=(Requirement("disk", Operator.EXISTS),)), False),
        (LabelSelector(match_expressions=(Requirement("disk", Operator.DOES_NOT_EXIST),)), True),
    ],
)
def test_selectors_mean_what_kubernetes_means(selector: LabelSelector, *, matches: bool) -> None:
    assert selector.matches({"rack": "b"}) is matches


def test_own_addresses() -> None:
    address, length = parse_own("10.1.1.4/24")
    assert (str(address), length) == ("10.1.1.4", 24)
    for text in ("10.1.1.4", "10.1.1.4/33", "10.1.1.4/", "10.1.1.4/-1", "x/24", "10.1.1.4/٣"):
        with pytest.raises(AddressError):
            parse_own(text)


def test_ranges_are_inclusive() -> None:
    assert [str(a) for a in parse_range("10.1.1.200-10.1.1.250")] == ["10.1.1.200", "10.1.1.250"]
    assert [str(a) for a in parse_range("10.1.2.0/28")] == ["10.1.2.0", "10.1.2.15"]


def test_the_wire_is_spelled_as_documented_and_reads_back() -> None:
    vip = VirtualIP(
        spec=VirtualIPSpec(
            addresses=("10.1.1.7",),
            preferred_interface_list="ibm-i",
            failback=Failback(FailbackPolicy.NEVER),
        ),
        status=VirtualIPStatus(last_transitions=(TransitionStatus(from_="w1/eth1", to="w2/eth1"),)),
    )
    wire = msgspec.json.encode(vip)
    assert msgspec.json.decode(wire) == {
        "apiVersion": "vipa.dev/v1alpha1",
        "kind": "VirtualIP",
        "metadata": {},
        "spec": {
            "addresses": ["10.1.1.7"],
            "preferredInterfaceList": "ibm-i",
            "failback": {"policy": "Never"},
        },
        "status": {"lastTransitions": [{"from": "w1/eth1", "to": "w2/eth1"}]},
    }
    assert msgspec.json.decode(wire, type=VirtualIP) == vip
    node = msgspec.json.decode(b'{"status":{"agent":{"bootID":"x"}}}', type=VirtualIPNode)
    assert node.status.agent.boot_id == "x"
