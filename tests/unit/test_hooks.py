"""Calls of notify hooks: what programs and servers are given, and what is said of those that fail or are missing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unit.fakes.hooks import EVENT, Server, one_event, play, scripts
from vipa_agent.hooksettings import HookSettings


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Makes a shell script of these lines; $OUT is this test's folder."""
    return scripts(tmp_path)


def test_a_program_gets_keepalived_s_words_an_environment_and_json(
    script: Callable[[str], str], tmp_path: Path
) -> None:
    hook = script('echo "$@" >$OUT/words; env >$OUT/env; cat >$OUT/json; echo chatter')
    counts, logs = play(HookSettings((hook,)), one_event())
    assert counts.of == {(hook, "done"): 1}
    assert logs == []
    assert (tmp_path / "words").read_text() == "INSTANCE erp MASTER 253\n"
    assert json.loads((tmp_path / "json").read_text()) == EVENT
    environment = dict(line.partition("=")[::2] for line in (tmp_path / "env").read_text().splitlines())
    assert {name: text for name, text in environment.items() if name.startswith("VIPA_")} == {
        "VIPA_TIME": "2026-01-02T03:04:05.678Z",
        "VIPA_NODE": "w1",
        "VIPA_VIP": "erp",
        "VIPA_ADDRESSES": "10.1.1.7 2001:db8::7",
        "VIPA_FROM": "Spare",
        "VIPA_TO": "Holder",
        "VIPA_FROM_INTERFACE": "",
        "VIPA_INTERFACE": "eth1",
        "VIPA_REASON": "HolderSilent",
        "VIPA_TERM": "3",
        "VIPA_PLACE": "2",
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": "Spare", "place": 1}, "INSTANCE erp BACKUP 254"),
        ({"to": "Excluded", "place": 999}, "INSTANCE erp FAULT 1"),
        ({"to": "Idle", "reason": "Shutdown"}, "INSTANCE erp STOP 253"),
        ({"to": "Idle", "reason": "PlanRemoved", "place": 0}, "INSTANCE erp DELETED 0"),
    ],
)
def test_roles_in_keepalived_s_words(
    script: Callable[[str], str], tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    play(HookSettings((script('echo "$@" >$OUT/words'),)), one_event(1, changes))
    assert (tmp_path / "words").read_text() == words + "\n"


@pytest.fixture
def serve() -> Iterator[Callable[[int], Server]]:
    made: list[Server] = []

    def make(code: int) -> Server:
        made.append(Server(code))
        return made[-1]

    yield make
    for server in made:
        server.close()


def test_a_webhook_gets_the_same_json(serve: Callable[[int], Server]) -> None:
    server = serve(204)
    counts, logs = play(HookSettings((), (f"{server.url}/hooks/secret?token=1",)), one_event())
    assert counts.of == {(server.url, "done"): 1}
    assert server.got == [("/hooks/secret?token=1", "application/json", EVENT)]
    assert logs == []


def test_webhooks_that_refuse_hang_or_are_not_there(serve: Callable[[int], Server]) -> None:
    refuses, hangs = serve(503), serve(0)
    urls = (f"{refuses.url}/secret", f"{hangs.url}/secret", "http://127.0.0.1:1/secret")
    counts, logs = play(HookSettings((), urls, 1.0), one_event(3))
    assert counts.of[refuses.url, "failed"] == 1
    assert counts.of[hangs.url, "failed"] + counts.of[hangs.url, "timeout"] == 1
    assert counts.of["http://127.0.0.1:1", "failed"] == 1
    details = {str(line["hook"]): str(line["detail"]) for line in logs}
    assert "HTTP 503" in details[refuses.url]
    assert "refused" in details["http://127.0.0.1:1"]
    assert "secret" not in str(logs)


def test_a_program_that_is_missing_or_fails_is_counted_and_said(script: Callable[[str], str], tmp_path: Path) -> None:
    fails = script("echo no such database >&2; exit 1")
    missing = str(tmp_path / "missing")
    counts, logs = play(HookSettings((fails, missing)), one_event(2))
    assert counts.of == {(fails, "failed"): 1, (missing, "failed"): 1}
    at_start, *later = logs
    assert (at_start["event"], at_start["program"]) == ("notify program cannot be run, as it is now", missing)
    details = {str(line["hook"]): str(line["detail"]) for line in later}
    assert details[fails] == "exit code 1: no such database"
    assert "No such file or directory" in details[missing]
