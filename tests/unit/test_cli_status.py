"""``vipa status``: what is well, what is not, and how it is told."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vipa_agent.status import StatusServer
from vipa_cli import exits
from vipa_cli.age import age
from vipa_cli.status import status_command, wrongs

VIP = {
    "name": "erp",
    "addresses": ["10.1.1.7"],
    "role": "Holder",
    "interface": "eth1",
    "reason": "TopOfList",
    "since": "2026-01-01T00:00:00.000Z",
    "term": 1,
    "holder": "w1",
    "conflict": "",
}
DOCUMENT: dict[str, Any] = {
    "node": "w1",
    "epoch": 0,
    "vips": [VIP],
    "interfaces": [
        {"name": "eth1", "addresses": ["10.1.1.4/24"], "mac": "aa", "healthy": True, "reason": "Healthy"},
    ],
    "peers": [{"node": "w2", "paths": [{"interface": "eth1", "state": "Up", "lossPermille": 15}]}],
    "refusals": [],
}


def with_vip(**changes: object) -> dict[str, Any]:
    return DOCUMENT | {"vips": [VIP | changes]}


def ask(document: dict[str, Any], state_dir: Path, output: str) -> int:
    async def run() -> int:
        server = StatusServer(state_dir, lambda: document)
        await server.start()
        try:
            return await asyncio.to_thread(status_command, state_dir, output)
        finally:
            await server.stop()

    return asyncio.run(run())


def test_a_copy_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spare = with_vip(role="Spare", interface="", reason="LowerInList", holder="w2", copy=True)
    assert ask(spare, tmp_path, "table") == exits.GOOD
    assert "(its copy)" in capsys.readouterr().out


def test_all_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(DOCUMENT, tmp_path, "json") == exits.GOOD
    assert json.loads(capsys.readouterr().out) == DOCUMENT
    assert ask(DOCUMENT, tmp_path, "table") == exits.GOOD
    out = capsys.readouterr().out
    for word in ("erp", "10.1.1.7", "TopOfList", "Healthy", "w2", "1.5 %"):
        assert word in out


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (with_vip(role="Spare", holder=""), "no holder is known"),
        (with_vip(conflict="de:ad"), "MAC de:ad"),
        (with_vip(failing=["tcp 443: connection refused"]), "checks fail on this node: tcp 443: connection refused"),
        (
            DOCUMENT | {"refusals": [{"kind": "VirtualIP", "name": "x", "reason": "Invalid", "message": "bad"}]},
            "VirtualIP x is refused: bad [Invalid]",
        ),
    ],
)
def test_what_is_wrong_is_said(
    document: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(document, tmp_path, "table") == exits.NOT_GOOD
    assert says in capsys.readouterr().out


def test_a_spare_that_knows_its_holder_is_well() -> None:
    assert wrongs(with_vip(role="Spare", holder="w2")) == []


def test_without_an_agent_nothing_can_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_command(tmp_path, "table") == exits.CANNOT_TELL
    assert "no vipa-agent runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("since", "text"),
    [
        ("", ""),
        ("2026-01-01T11:59:18.000Z", "42s"),
        ("2026-01-01T11:55:00.000Z", "5m"),
        ("2025-12-20T12:00:00.000Z", "12d"),
        ("2026-01-01T12:00:05.000Z", "0s"),
    ],
)
def test_ages(since: str, text: str) -> None:
    assert age(since, datetime(2026, 1, 1, 12, tzinfo=UTC)) == text
