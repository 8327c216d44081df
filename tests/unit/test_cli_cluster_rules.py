"""What the cluster commands conclude from objects, on recorded ones."""

import copy
import json
from collections.abc import Callable

import pytest

from unit.fakes.recorded import RECORDED, Object, vip
from vipa.timing import PROFILES, Timing, node_death_s
from vipa_cli.cluster import foresee, move, nexthops, strangers, timeline
from vipa_cli.cluster.errors import ClusterError, NotGoodError, UsageError
from vipa_cli.cluster.objects import pick
from vipa_cli.cluster.view import view
from vipa_operator.reconcile import exclusion


def fail(*places: int) -> Callable[[Object], object]:
    """Those candidates, by place in the succession, are not healthy."""

    def change(thing: Object) -> None:
        for place in places:
            thing["status"]["succession"][place]["healthy"] = False

    return change


# --- view


def test_good_and_not_good() -> None:
    good, bad = view(vip("erp")), view(vip("web"))
    assert (good.ready, good.redundant, good.holder, good.spares, good.wrong) == (True, True, "w1/eth1", 2, [])
    assert (bad.ready, bad.holder, bad.reason) == (False, "", "NoHealthyEndpoint")
    assert bad.wrong == ["no candidate is healthy; status.succession says why for each [NoHealthyEndpoint]"]


def test_served_though_refused_is_not_good() -> None:
    def refuse(thing: Object) -> None:
        thing["status"]["conditions"][0] |= {"status": "False", "reason": "Invalid", "message": "bad spec"}

    seen = view(vip("erp", refuse))
    assert (seen.ready, seen.reason, seen.wrong) == (True, "Invalid", ["bad spec [Invalid]"])


def test_one_cause_is_told_once() -> None:
    def refuse(thing: Object) -> None:
        for condition in thing["status"]["conditions"]:
            condition |= {"status": "False", "reason": "NoCandidates", "message": condition["type"]}

    assert view(vip("web", refuse)).wrong == ["Accepted [NoCandidates]"]


def test_nobody_has_looked_at_it() -> None:
    seen = view({"metadata": {"name": "new"}, "spec": {"addresses": ["10.1.1.9"]}})
    assert (seen.addresses, seen.ready, seen.reason) == (["10.1.1.9"], False, "NoStatus")
    assert "does the operator run?" in seen.wrong[0]


def test_a_virtual_ip_by_name_by_address_and_by_mistake() -> None:
    vips = RECORDED["VirtualIP"]
    assert pick(vips, "web") is pick(vips, "10.1.1.8")
    for wanted, says in (
        ("epr", "meant erp?"),
        ("10.1.1.77", "10.1.1.7"),
        ("xxxxxxxx", "there are: erp, web"),
    ):
        with pytest.raises(UsageError) as raised:
            pick(vips, wanted)
        assert says in str(raised.value)
    with pytest.raises(UsageError, match="no VirtualIP at all yet"):
        pick([], "erp")


# --- what happens next


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


# --- no candidates


def test_why_nodes_are_no_candidates() -> None:
    pil = RECORDED["PreferredInterfaceList"][0]
    found = strangers.strangers(vip(), RECORDED["Node"], RECORDED["VirtualIPNode"], pil)
    assert found == {
        "drained (annotation vipa.dev/drain; undo: kubectl vipa drain NODE --undo)": ["w3"],
        "no interface has a subnet that holds 10.1.1.7": ["w4"],
    }


def test_more_reasons_to_be_no_candidate() -> None:
    nodes = [n for n in copy.deepcopy(RECORDED["Node"]) if n["metadata"]["name"] == "w3"]
    nodes[0]["metadata"]["annotations"] = {}
    agents, pil = RECORDED["VirtualIPNode"], RECORDED["PreferredInterfaceList"][0]

    def why(thing: Object, agents: list[Object] = agents, pil: Object | None = None) -> str:
        (reason,) = strangers.strangers(thing, nodes, agents, pil)
        return reason

    assert why(vip(), pil=pil) == "not on PreferredInterfaceList ibm-i, which has fallback None"
    assert why(vip(), agents=[]) == strangers.NO_AGENT
    assert "nodeSelector" in why(vip("erp", lambda v: v["spec"].update(nodeSelector={"matchLabels": {"a": "b"}})))
    assert "spec.interfaces (bond*)" in why(vip("erp", lambda v: v["spec"].update(interfaces=["bond*"])))
    assert why(vip()).startswith("not planned with")


@pytest.mark.parametrize(
    ("key", "operator", "values", "met"),
    [
        ("a", "In", ["1"], True),
        ("a", "In", ["2"], False),
        ("b", "NotIn", ["1"], True),
        ("a", "Exists", None, True),
        ("a", "DoesNotExist", None, False),
        ("a", "Near", None, False),
    ],
)
def test_selectors(key: str, operator: str, values: list[str] | None, met: bool) -> None:
    selector = {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}
    assert strangers.matches(selector, {"a": "1"}) is met


def bare(**more: object) -> Object:
    metadata = {"name": "w1"} | {k: v for k, v in more.items() if k in ("labels", "annotations", "deletionTimestamp")}
    return {"metadata": metadata, "spec": more.get("spec", {}), "status": more.get("status", {})}


EXCLUSIONS = [
    bare(annotations={exclusion.DRAIN_ANNOTATION: "true"}),
    bare(annotations={exclusion.DRAIN_ANNOTATION: "false"}),
    bare(labels={exclusion.EXCLUDE_LABEL: "true"}),
    bare(labels={exclusion.EXCLUDE_LABEL: "no"}),
    bare(labels={exclusion.LOAD_BALANCER_LABEL: ""}),
    bare(deletionTimestamp="2026-03-01T00:00:00Z"),
    bare(status={"conditions": [{"type": "NetworkUnavailable", "status": "True"}]}),
    bare(status={"conditions": [{"type": "Ready", "status": "False"}]}),
    bare(spec={"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable"}]}),
    *(bare(spec={"taints": [{"key": key}]}) for key in exclusion.TAINTS),
]


@pytest.mark.parametrize("node", EXCLUSIONS)
def test_the_operator_and_this_program_agree_on_who_is_excluded(node: Object) -> None:
    assert bool(strangers.excluded(node)) is bool(exclusion.excluded(node))
    assert strangers.TAINTS.keys() == exclusion.TAINTS.keys()


# --- moves


@pytest.mark.parametrize(
    ("thing", "to", "error", "says"),
    [
        (vip(), "", UsageError, "write NODE or NODE/INTERFACE"),
        (vip(), "w2/", UsageError, "write NODE or NODE/INTERFACE"),
        (vip(), "w9", UsageError, "w9 is no candidate for erp; candidates: w1/eth1, w1/eth2, w2/eth1"),
        (vip(), "w2/eth7", UsageError, "w2/eth7 is no candidate"),
        (vip("web"), "w2", NotGoodError, "w2/eth1: LinkDown, no carrier"),
        (vip("erp", lambda v: v["spec"].update(paused=True)), "w2", NotGoodError, "remove spec.paused first"),
    ],
)
def test_moves_that_are_not_asked_for(thing: Object, to: str, error: type[ClusterError], says: str) -> None:
    with pytest.raises(error) as raised:
        move.judge(thing, to)
    assert says in str(raised.value)


def test_moves_that_are() -> None:
    for to in ("w2", "w2/eth1", "w1/eth2", "w1"):
        move.judge(vip(), to)
    assert move.is_at(vip(), "w1")
    assert not move.is_at(vip(), "w1/eth2")


# --- next hops


def test_next_hops_in_everybodys_words() -> None:
    thing = vip("erp", lambda v: v["status"].update(addresses=["10.1.1.7", "fd00::7"]))
    thing["status"]["nextHops"] = ["10.1.1.4", "10.1.1.5", "fd00::4"]
    assert nexthops.plain(thing, 0) == "10.1.1.4\n10.1.1.5\nfd00::4\n"
    assert json.loads(nexthops.as_json(thing, 0))["nextHops"] == ["10.1.1.4", "10.1.1.5", "fd00::4"]
    assert nexthops.iproute2(thing, 0).splitlines() == [
        "ip -4 route replace 10.1.1.7/32 nexthop via 10.1.1.4 weight 1 nexthop via 10.1.1.5 weight 1",
        "ip -6 route replace fd00::7/128 nexthop via fd00::4 weight 1",
    ]
    assert nexthops.ipvsadm(thing, 443).splitlines()[-2:] == [
        "-A -t [fd00::7]:443 -s rr",
        "-a -t [fd00::7]:443 -r [fd00::4]:443 -g -w 1",
    ]
    assert "-A -t 10.1.1.7:0 -s rr -p 300" in nexthops.ipvsadm(thing, 0)
    assert nexthops.haproxy(thing, 80).splitlines()[0] == "    server w1-eth1 10.1.1.4:80 check"
    assert nexthops.haproxy(thing, 0).splitlines()[0] == "    server w1-eth1 10.1.1.4"


def test_without_next_hops_a_router_says_so() -> None:
    assert nexthops.iproute2(vip("web"), 0) == "ip -4 route replace unreachable 10.1.1.8/32\n"
    assert (nexthops.plain(vip("web"), 0), nexthops.haproxy(vip("web"), 0)) == ("", "")


# --- timeline


def test_moves_and_events_in_order_and_no_move_twice() -> None:
    entries = timeline.merge(vip(), RECORDED["Event"])
    assert [(each.reason, each.what, each.times) for each in entries] == [
        ("TopOfList", "served by w1/eth1", 1),
        ("HolderSilent", "moved from w1/eth1 to w2/eth1", 1),
        ("MoveRefused", "not moved to w9: no candidate there; candidates are on w1, w2", 3),
        ("BetterEndpointBack", "moved from w2/eth1 to w1/eth1", 1),
    ]
    assert [each.gap for each in entries] == ["", "100ms", "", "0ms"]


def test_events_of_a_namesake_that_was_deleted_are_left_out() -> None:
    namesake = vip("erp", lambda v: v["metadata"].update(uid="another"))
    assert len(timeline.merge(namesake, RECORDED["Event"])) == 3
