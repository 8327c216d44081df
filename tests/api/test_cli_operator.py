"""Moves and drains asked for on the command line, done by the real operator. Agents are played: the first of a
succession serves."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from vipa_lab.kube.accounts import add_node
from vipa_lab.kube.apiserver import ApiServer

BIN: Final = Path(sys.executable).parent
API: Final = "/apis/vipa.dev/v1alpha1"
MERGE: Final = "application/merge-patch+json"
INTERFACES: Final = {"w1": {"eth1": "10.1.1.4", "eth2": "10.1.1.5"}, "w2": {"eth1": "10.1.1.6"}}
LIST: Final = {
    "kind": "PreferredInterfaceList",
    "metadata": {"name": "ibm-i"},
    "spec": {"interfaces": [{"address": a} for a in ("10.1.1.4", "10.1.1.5", "10.1.1.6")]},
}
ERP: Final = {
    "kind": "VirtualIP",
    "metadata": {"name": "erp"},
    "spec": {"addresses": ["10.1.1.7"], "preferredInterfaceList": "ibm-i"},
}
# The operator is ready in two seconds on a quiet machine; this one may be doing anything else.
READY_S: Final = 90.0


class Agents:
    """All agents of the cluster: as soon as a plan is written they follow it."""

    def __init__(self, api: ApiServer) -> None:
        self._rest = api.rest
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._term = 0
        self._holder = ""

    def __enter__(self) -> "Agents":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            code, answer = self._rest.ask("GET", f"{API}/virtualipnodes")
            if code != 200:  # 429: a server that has just started
                continue
            objects = {o["metadata"]["name"]: o for o in answer["items"]}
            # Of two plans the one of the higher epoch is the newer.
            plans = sorted(objects.values(), key=lambda o: int(o["spec"].get("epoch", 0)))
            orders = [a["succession"] for o in plans for a in o["spec"].get("assignments", ()) if a["name"] == "erp"]
            first = f"{orders[-1][0]['node']}/{orders[-1][0]['interface']}" if orders else ""
            if first != self._holder:
                self._holder, self._term = first, self._term + 1
            for name, found in objects.items():
                wanted = self._status(name, found["spec"].get("epoch", 0))
                if found.get("status") != wanted:
                    self._rest.ask("PATCH", f"{API}/virtualipnodes/{name}/status", {"status": wanted}, MERGE)

    def _status(self, name: str, epoch: int) -> dict[str, Any]:
        node, _, interface = self._holder.partition("/")
        holds = node == name
        vip = {"name": "erp", "addresses": ["10.1.1.7"], "role": "Holder" if holds else "Spare", "term": self._term}
        vip |= {"interface": interface, "reason": "HandedOver"} if holds else {"reason": "LowerInList"}
        return {
            "node": name,
            "epoch": epoch,
            "agent": {"version": "0.1.0"},
            "held": ["erp"] if holds else [],
            "interfaces": [
                {"name": i, "addresses": [f"{a}/24"], "healthy": True, "reason": "Healthy"}
                for i, a in INTERFACES[name].items()
            ],
            "vips": [vip | {"since": datetime(2026, 3, 1, 10, self._term % 60, tzinfo=UTC).isoformat()}]
            if self._holder
            else [],
        }


@contextmanager
def operator(api: ApiServer, log: Path) -> Iterator[None]:
    words = [BIN / "vipa-operator", "--kubeconfig", api.admin, "--listen", "127.0.0.1:0", "--log-format", "text"]
    with log.open("w") as file, subprocess.Popen([*map(str, words)], stdout=file, stderr=file) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(READY_S)


def vipa(api: ApiServer, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [str(BIN / "vipa"), *words, "--kubeconfig", str(api.admin)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False, env=dict(os.environ))


def candidates(vip: dict[str, Any], healthy: bool = False) -> list[str]:
    """Nodes by the status; those only that could serve now, when ``healthy``."""
    return [each["node"] for each in vip["status"]["succession"] if each["healthy"] or not healthy]


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path) -> Iterator[ApiServer]:
    for name in INTERFACES:
        add_node(api, name)
    for thing in (LIST, ERP):
        api.objects.apply({"apiVersion": "vipa.dev/v1alpha1"} | thing)
    log = tmp_path / "operator.log"
    with operator(api, log), Agents(api):
        deadline = time.monotonic() + READY_S
        while (done := vipa(api, "status", "erp")).returncode != 0:
            assert time.monotonic() < deadline, f"{done.stdout}{done.stderr}{log.read_text()}"
        api.objects.wait("virtualips", "erp", lambda vip: "w2" in candidates(vip, healthy=True), READY_S)
        yield api


def test_moves_and_drains_are_done_and_explained(cluster: ApiServer) -> None:
    assert "w1/eth1" in vipa(cluster, "status", "erp").stdout
    moved = vipa(cluster, "move", "erp", "--to", "w2", "--wait")
    assert (moved.returncode, moved.stdout) == (0, "erp is served by w2/eth1\n"), moved.stderr
    assert "was moved to w2 by hand" in vipa(cluster, "explain", "erp").stdout
    drained = vipa(cluster, "drain", "w2", "--wait")
    assert (drained.returncode, drained.stdout) == (0, "w2 is drained and holds nothing\n"), drained.stderr
    explained = vipa(cluster, "explain", "erp").stdout
    assert "served by w1/eth1" in explained
    assert "drained (annotation vipa.dev/drain" in explained
    cluster.objects.wait("virtualips", "erp", lambda vip: "w2" not in candidates(vip), READY_S)
    assert vipa(cluster, "move", "erp", "--to", "w2").returncode == 2  # no candidate any more
    entries = json.loads(vipa(cluster, "timeline", "erp", "-o", "json").stdout)["entries"]
    moves = [each["what"] for each in entries if each["kind"] == "Move"]
    assert moves[-2:] == ["moved from w1/eth1 to w2/eth1", "moved from w2/eth1 to w1/eth1"]
    # Nobody else can serve now: the holder stays, and is named.
    stuck = vipa(cluster, "drain", "w1", "--wait", "--timeout", "2")
    assert (stuck.returncode, "no other node can serve it" in stuck.stderr) == (1, True), stuck.stderr
