"""How the cluster commands tell it: tables, colours, narrow terminals."""

import copy
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vipa_cli.cluster.explain import gather, show
from vipa_cli.cluster.pulse import Pulse
from vipa_cli.cluster.status import show as show_status
from vipa_cli.cluster.table import Cell, Column, Paper
from vipa_cli.cluster.timeline import merge
from vipa_cli.cluster.timeline import show as show_timeline
from vipa_cli.cluster.view import view

RECORDED: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "cluster.json").read_text()
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEADS = Pulse(True, "operator-1 leads")


class Recorded:
    """Stands where the API server stands: answers from the recorded objects."""

    server = "https://10.9.0.1:6443"

    def get(self, path: str, accept: str = "") -> dict[str, Any]:
        kind = {
            "nodes": "Node",
            "virtualipnodes": "VirtualIPNode",
            "preferredinterfacelists": "PreferredInterfaceList",
        }[path.split("/")[-1] if path.split("/")[-1] != "ibm-i" else path.split("/")[-2]]
        return RECORDED[kind][0] if path.endswith("ibm-i") else {"items": RECORDED[kind]}


def paper(width: int, *, colours: bool = False) -> tuple[Paper, io.StringIO]:
    stream = io.StringIO()
    return Paper(stream, width, colours), stream


def status_text(width: int, *, colours: bool = False, heart: Pulse = LEADS) -> str:
    sheet, stream = paper(width, colours=colours)
    show_status([view(vip) for vip in RECORDED["VirtualIP"]], heart, sheet, NOW)
    return stream.getvalue()


def explain_text(width: int, name: str, failing: str = "", binding: str = "Holder") -> str:
    """``failing``: a health check that fails on w2."""
    vip = copy.deepcopy(next(v for v in RECORDED["VirtualIP"] if v["metadata"]["name"] == name))
    vip["spec"]["binding"] = binding
    for candidate in vip["status"]["succession"]:
        if failing and candidate["node"] == "w2":
            candidate |= {"healthy": False, "reason": "HealthCheckFailed", "failing": [failing]}
    sheet, stream = paper(width)
    show(vip, view(vip), gather(Recorded(), vip, view(vip), LEADS), sheet, NOW)  # type: ignore[arg-type]
    return stream.getvalue()


def test_status_in_a_pipe() -> None:
    assert status_text(200).splitlines() == [
        "VIRTUAL IP  ADDRESS   HOLDER   SPARES  READY  REASON              FOR",
        "erp         10.1.1.7  w1/eth1  2       yes    BetterEndpointBack  2h",
        "web         10.1.1.8  -        0       NO     NoHealthyEndpoint",
        "web: no candidate is healthy; status.succession says why for each [NoHealthyEndpoint]",
    ]


@pytest.mark.parametrize("width", [20, 24, 32, 40, 50, 60, 80, 120])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    for text in (status_text(width), explain_text(width, "erp"), explain_text(width, "web"), timeline_text(width)):
        longest = max(text.splitlines(), key=len)
        # A single word may be longer than the narrowest terminal; it is not cut.
        assert len(longest) <= width or " " not in longest.strip(), longest
    assert "erp" in status_text(width)
    assert "NO" in status_text(width)


def test_a_narrow_terminal_does_without_the_least() -> None:
    assert status_text(60).splitlines()[0] == "VIRTUAL IP  ADDRESS   HOLDER   READY  REASON"
    assert status_text(40).splitlines()[0] == "VIRTUAL IP  ADDRESS   HOLDER   READY"


def test_too_narrow_for_a_table_is_a_paragraph_each() -> None:
    sheet, stream = paper(20)
    sheet.table([Column("NAME"), Column("WHERE")], [[Cell("a-long-name-1"), Cell("a-long-place-1")]])
    assert stream.getvalue() == "a-long-name-1\n  where:\n    a-long-place-1\n"


def test_colours_only_when_they_are_wanted() -> None:
    assert "\x1b[" not in status_text(200)
    coloured = status_text(200, colours=True)
    assert "\x1b[31mNO\x1b[0m" in coloured
    assert "\x1b[32myes\x1b[0m" in coloured


def test_a_dead_operator_is_said() -> None:
    text = status_text(200, heart=Pulse(False, "the operator o has not renewed its Lease for 99 s"))
    assert "has not renewed its Lease for 99 s; what is shown may be old" in text
    assert "may be old" not in status_text(200, heart=Pulse(None, "may not read"))


def test_no_virtual_ip_yet() -> None:
    sheet, stream = paper(80)
    show_status([], LEADS, sheet, NOW)
    assert "there is no virtual IP yet" in stream.getvalue()


def test_explain_says_who_why_why_not_and_what_next() -> None:
    text = explain_text(200, "erp")
    for said in (
        "served by w1/eth1 (10.1.1.4, MAC 02:00:00:00:01:01) for 2h, term 12",
        "1  w1/eth1    10.1.1.4  serves  TopOfList    the best healthy candidate",
        "3  w2/eth1    10.1.1.6  spare   LowerInList",
        "no candidate: w4: no interface has a subnet that holds 10.1.1.7",
        "when w1 loses power: w2/eth1",
        "failback: it is on the best candidate",
    ):
        assert said in text


def test_explain_says_which_health_check_fails_where() -> None:
    text = explain_text(200, "erp", "http 80 /ready: status 503")
    assert "3  w2/eth1    10.1.1.6  cannot  HealthCheckFailed" in text
    assert "its health checks fail: http 80 /ready: status 503" in text
    assert "when w1 loses power: nobody" not in text


def test_explain_says_where_remote_clients_can_be_sent() -> None:
    assert "EveryCandidate" not in explain_text(200, "erp")
    text = explain_text(200, "erp", binding="EveryCandidate")
    assert "each candidate's node has the address, one answers ARP; remote clients can be sent to 10.1.1.4" in text
    assert "no adapter takes remote clients now" in explain_text(200, "web", binding="EveryCandidate")


def test_explain_of_one_that_nobody_serves() -> None:
    text = explain_text(200, "web")
    assert "served by nobody" in text
    assert "2  w1/eth2    10.1.1.5  cannot  PathSilent  link is up, but nothing is heard on it" in text
    assert "WHAT HAPPENS NEXT" not in text


def timeline_text(width: int) -> str:
    sheet, stream = paper(width)
    show_timeline(merge(RECORDED["VirtualIP"][0], RECORDED["Event"]), sheet, NOW)
    return stream.getvalue()


def test_timeline_is_oldest_first() -> None:
    lines = timeline_text(200).splitlines()
    assert lines[1].startswith("2026-03-01 08:00:00  4h")
    assert "not moved to w9" in lines[3]
    assert "(3 times)" in lines[3]
    assert "HolderSilent: took over because the holder before was silent" in lines
