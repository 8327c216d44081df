"""What ``vipa check`` concludes from recorded objects; words for every reason; what a support bundle leaves out."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from unit.fakes.recorded import RECORDED, Object, vip
from vipa.reasons import Reason
from vipa_cli.check.finding import Level
from vipa_cli.cluster import checks, judgement, pulse, scrub
from vipa_cli.cluster.survey import Survey
from vipa_cli.cluster.words import words_for


def seen(**changes: Any) -> Survey:  # noqa: ANN401 - of each field its own type
    pods = [
        {
            "metadata": {"name": f"vipa-agent-{node}"},
            "spec": {"serviceAccountName": "vipa-agent", "nodeName": node},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        for node in ("w1", "w2", "w3", "w4")
    ]
    whole = Survey(
        version={"major": "1", "minor": "36", "gitVersion": "v1.36.3"},
        types=list(checks.TYPES),
        operator=pulse.Pulse(True, "operator-1 leads"),
        vips=[vip()],
        agents=RECORDED["VirtualIPNode"],
        nodes=[n for n in RECORDED["Node"] if n["metadata"]["name"] != "w3"],
        pods=pods,
        key=True,
        stale=[],
    )
    return whole._replace(**changes)


def levels(survey: Survey) -> dict[str, Level]:
    return {each.check: each.level for each in checks.judge(survey, "vipa-system")}


def test_all_is_well() -> None:
    found = levels(
        seen(
            nodes=[n for n in RECORDED["Node"] if n["metadata"]["name"] != "w3"],
            agents=[a for a in RECORDED["VirtualIPNode"] if a["metadata"]["name"] != "w3"],
        )
    )
    assert set(found.values()) == {Level.OK}, found


def without_agent_version() -> list[Object]:
    agents = copy.deepcopy(RECORDED["VirtualIPNode"])
    for agent in agents:
        agent["status"] = {}
    return agents


def other_version(*nodes: str) -> list[Object]:
    agents = copy.deepcopy(RECORDED["VirtualIPNode"])
    for agent in agents:
        if agent["metadata"]["name"] in nodes:
            agent["status"]["agent"]["version"] = "9.9.9"
    return agents


@pytest.mark.parametrize(
    ("survey", "check", "level"),
    [
        (seen(version={"major": "1", "minor": "30+", "gitVersion": "v1.30.1"}), "server", Level.FAIL),
        (seen(types=["virtualips"]), "types", Level.FAIL),
        (seen(operator=pulse.Pulse(False, "gone")), "operator", Level.FAIL),
        (seen(operator=pulse.Pulse(None, "may not")), "operator", Level.WARN),
        (seen(agents=without_agent_version()), "agents", Level.FAIL),
        (seen(agents=RECORDED["VirtualIPNode"][:2]), "agents", Level.WARN),
        (seen(agents=None), "agents", Level.WARN),
        (seen(pods=[]), "agents' pods", Level.FAIL),
        (seen(pods=None), "agents' pods", Level.WARN),
        (seen(), "nodes", Level.WARN),
        (seen(nodes=RECORDED["Node"]), "excluded", Level.WARN),
        (seen(agents=other_version("w1")), "versions", Level.WARN),
        (seen(agents=other_version("w1", "w2", "w3", "w4")), "versions", Level.WARN),
        (seen(key=False), "heartbeat key", Level.FAIL),
        (seen(stale=["old"]), "statuses", Level.WARN),
        (seen(vips=RECORDED["VirtualIP"]), "virtual IPs", Level.WARN),
        (seen(vips=[]), "virtual IPs", Level.OK),
    ],
)
def test_what_is_not_well(survey: Survey, check: str, level: Level) -> None:
    assert levels(survey)[check] is level
    for finding in checks.judge(survey, "vipa-system"):
        assert bool(finding.remedy) is (finding.level is not Level.OK), finding


def test_stale_statuses() -> None:
    agents = copy.deepcopy(RECORDED["VirtualIPNode"])
    assert judgement.stale([vip()], agents) == []
    agents[0]["status"] |= {"epoch": 4, "held": []}
    old = vip("erp", lambda v: v["metadata"].update(generation=2))
    assert judgement.stale([old], agents) == [
        "the agent on w1 works by plan 4, and the operator has given 5",
        "the status of erp is about its generation 1, and the spec is of 2",
        "the status of erp says w1 serves it, whose agent says it does not",
    ]


@pytest.mark.parametrize(
    ("spec", "alive"),
    [
        ({"holderIdentity": "o", "leaseDurationSeconds": 15, "renewTime": "2026-03-01T11:59:50.000000Z"}, True),
        ({"holderIdentity": "o", "leaseDurationSeconds": 15, "renewTime": "2026-03-01T11:59:00.000000Z"}, False),
        ({"holderIdentity": "", "renewTime": "2026-03-01T12:00:00.000000Z"}, False),
        ({}, False),
    ],
)
def test_pulse(spec: Object, alive: bool) -> None:
    assert pulse.judge({"spec": spec}, datetime(2026, 3, 1, 12, tzinfo=UTC)).alive is alive


# --- words and secrets


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(reason: Reason) -> None:
    assert words_for(reason.value), f"say what {reason} means in cli/vipa_cli/cluster/words.py"
    assert words_for("FromTheFuture") == ""


def test_secrets_are_left_out() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4eXoifQ.c2ln-bmF0"
    thing = {
        "kind": "List",
        "items": [
            {
                "kind": "Secret",
                "metadata": {"managedFields": [1], "annotations": {scrub._COPIES[0]: "all of it", "a": token}},
                "data": {"key": "aGVsbG8="},
            },
            {"env": [{"name": "PASSWORD", "value": "hunter2"}, {"name": "NODE", "valueFrom": {"fieldRef": {}}}]},
        ],
    }
    text = json.dumps(scrub.scrub(thing))
    for secret in (token, "aGVsbG8=", "hunter2", "all of it", "managedFields"):
        assert secret not in text
    assert '"valueFrom"' in text
    log = f"Authorization: Bearer abc.def\nhttps://me:pw@host/\n{token}\n-----BEGIN EC PRIVATE KEY-----\nMH"
    cleaned = scrub.scrub_text(log)
    for secret in ("abc.def", "me:pw", token, "MH"):
        assert secret not in cleaned
    assert scrub.scrub_text("node w1 holds 10.1.1.7") == "node w1 holds 10.1.1.7"
