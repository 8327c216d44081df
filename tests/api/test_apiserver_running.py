"""The test API server itself: it starts, forgets nothing over a crash, and says clearly why it could not start."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vipa_lab.errors import LabError
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Kubectl, KubectlError, NotFoundError
from vipa_lab.process import processes_with


def config_map(name: str, value: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})


def test_kubectl_says_and_hears(frail_api: ApiServer) -> None:
    kubectl = frail_api.kubectl
    with pytest.raises(NotFoundError, match="one"):
        kubectl.get("configmap", "one")
    assert kubectl.find("configmap", "one") is None
    kubectl.apply(config_map("one", "first"))
    kubectl.patch("configmap", "one", {"data": {"key": "second"}})
    assert kubectl.wait("configmap", "one", lambda found: found["data"]["key"] == "second")
    assert [each["metadata"]["name"] for each in kubectl.list("configmap")] == ["one"]
    with pytest.raises(AssertionError, match=r"configmap one: .*second"):
        kubectl.wait("configmap", "one", lambda found: found["data"]["key"] == "third", timeout_s=0)
    kubectl.delete("configmap", "one")
    kubectl.delete("configmap", "one")
    with pytest.raises(KubectlError, match="unknown field"):
        kubectl.apply(config_map("one", "x").replace('"data"', '"dota"'), "--validate=strict")


def test_a_crash_forgets_nothing_and_comes_back_at_the_same_place(frail_api: ApiServer) -> None:
    url = frail_api.url
    frail_api.kubectl.apply(config_map("kept", "value"))
    before = frail_api.kubectl.get("configmap", "kept")
    frail_api.stop()
    assert not frail_api.running
    with pytest.raises(KubectlError, match="refused"):
        frail_api.kubectl.get("configmap", "kept")
    frail_api.start()
    assert frail_api.url == url
    assert frail_api.kubectl.get("configmap", "kept") == before


def test_a_frozen_server_answers_nobody_until_it_is_thawed(frail_api: ApiServer) -> None:
    frail_api.freeze()
    with pytest.raises(KubectlError, match="no answer within 2 s"):
        frail_api.kubectl.run("get", "namespaces", timeout_s=2)
    frail_api.thaw()
    assert "default" in frail_api.kubectl.run("get", "namespaces")


def test_a_watch_from_before_the_restart_is_told_that_it_is_gone(frail_api: ApiServer) -> None:
    frail_api.kubectl.apply(config_map("before", "1"))
    old = frail_api.kubectl.get("configmap", "before")["metadata"]["resourceVersion"]
    frail_api.kubectl.apply(config_map("after", "1"))
    events = frail_api.rest.watch("/api/v1/configmaps", old)
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "after")]
    frail_api.restart()
    events = frail_api.rest.watch("/api/v1/configmaps", old)
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]


def test_the_users_of_kubeconfigs_are_who_they_say(api: ApiServer, kubectl: Kubectl) -> None:
    path = api.kubeconfig("system:serviceaccount:a:b/c+d", ["one", "two"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = json.loads(Kubectl(path).run("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    assert answer["username"] == "system:serviceaccount:a:b/c+d"
    assert set(answer["groups"]) == {"one", "two", "system:authenticated"}
    with pytest.raises(KubectlError, match="cannot list resource"):
        Kubectl(path).list("nodes")
    assert kubectl.list("nodes") == []


def test_what_is_wrong_is_told_with_the_servers_words(tmp_path: Path) -> None:
    with pytest.raises(
        LabError, match=r"(?s)kube-apiserver did not start; it ended with 1; last output:.*no-such-flag"
    ):
        ApiServer(tmp_path, "--no-such-flag").start()


PARENT = """
import pathlib, sys, time
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.daemon import Daemon
folder = pathlib.Path(sys.argv[1])
program = "import time; print('up', flush=True); time.sleep(1000)"
frozen = Daemon("frozen", [sys.executable, "-c", program, str(folder / "frozen")], folder)
frozen.wait_output("up", 60)
frozen.freeze()
api = ApiServer(folder)
api.start()
print("ready", flush=True)
time.sleep(1000)
"""


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            assert parent.stdout.readline() == "ready\n"
            children = {pid for part in ("pki", "etcd", "frozen") for pid in processes_with(str(tmp_path / part))}
            assert len(children) == 3
        finally:
            parent.kill()
    deadline = time.monotonic() + 30
    while (left := [pid for pid in children if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def is_running(pid: int) -> bool:
    """False for a zombie, too: whoever reaps it has not got round to it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
