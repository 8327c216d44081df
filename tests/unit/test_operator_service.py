"""The service around its lease. The API server is played."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from vipa_operator.reconcile import Kind
from vipa_operator.service import Service
from vipa_operator.settings import parse


def test_a_list_from_before_the_lead_was_lost_and_regained_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> list[tuple[bool, int]]:
        service = Service(parse(["--kubeconfig", str(tmp_path / "config"), "--name", "one"]))
        listed = iter([1, 5])
        seen: list[tuple[bool, int]] = []

        async def answer(kind: Kind) -> list[dict[str, Any]]:
            assert kind is Kind.AGENT
            epoch = next(listed)
            if epoch == 1:  # meanwhile another replica led, and wrote
                service._led(leads=False)
                service._led(leads=True)
            meta = {"name": "w1", "uid": "u1", "resourceVersion": str(epoch), "generation": epoch}
            return [{"metadata": meta, "spec": {"epoch": epoch}}]

        monkeypatch.setattr(service._api, "list", answer)
        monkeypatch.setattr(service._leader, "leads", lambda: True)  # so says the lease, after all
        service._synced = set(Kind)
        service._led(leads=True)
        for _ in range(2):
            await service._reconcile()
            reconciled = service._debounce.due_at() is None
            seen.append((reconciled, service._store.cluster.agents["w1"].spec.epoch))
        return seen

    assert asyncio.run(play()) == [(False, 1), (True, 5)]
