"""The test API server itself: it starts, forgets nothing over a crash, and says clearly why it could not start."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vipa_lab.errors import LabError
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Kubectl, KubectlError, NotFoundError

OwnApi = Callable[..., ApiServer]


def config_map(name: str, value: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})


@pytest.fixture(scope="module")
def bare(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """For tests that stop it and start it again: everybody else's goes on."""
    with ApiServer(tmp_path_factory.mktemp("bare")) as server:
        yield server


def test_kubectl_says_and_hears(bare: ApiServer) -> None:
    kubectl = bare.kubectl
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


def test_a_crash_forgets_nothing_and_comes_back_at_the_same_place(bare: ApiServer) -> None:
    url = bare.url
    bare.kubectl.apply(config_map("kept", "value"))
    before = bare.kubectl.get("configmap", "kept")
    bare.stop()
    assert not bare.running
    with pytest.raises(KubectlError, match="refused"):
        bare.kubectl.get("configmap", "kept")
    bare.start()
    assert bare.url == url
    assert bare.kubectl.get("configmap", "kept") == before


def test_a_frozen_server_answers_nobody_until_it_is_thawed(bare: ApiServer) -> None:
    bare.freeze()
    with pytest.raises(KubectlError, match="no answer within 2 s"):
        bare.kubectl.run("get", "namespaces", timeout_s=2)
    bare.thaw()
    assert "default" in bare.kubectl.run("get", "namespaces")


def test_a_watch_from_before_the_restart_is_told_that_it_is_gone(bare: ApiServer) -> None:
    bare.kubectl.apply(config_map("before", "1"))
    old = bare.kubectl.get("configmap", "before")["metadata"]["resourceVersion"]
    bare.kubectl.apply(config_map("after", "1"))
    events = bare.rest.watch("/api/v1/configmaps", old)
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "after")]
    bare.restart()
    events = bare.rest.watch("/api/v1/configmaps", old)
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


def test_what_is_wrong_is_told_with_the_servers_words(own_api: OwnApi) -> None:
    with pytest.raises(
        LabError, match=r"(?s)kube-apiserver did not start; it ended with 1; last output:.*no-such-flag"
    ):
        own_api("--no-such-flag")


PARENT = """
import pathlib, sys, time
from vipa_lab.kube.apiserver import ApiServer
api = ApiServer(pathlib.Path(sys.argv[1]))
api.start()
if sys.argv[2] == "frozen":
    api.freeze()
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("state", ["running", "frozen"])
def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path, state: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), state], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        try:
            assert parent.stdout.readline() == "ready\n"
            children = mentioning(str(tmp_path / "pki"), str(tmp_path / "etcd"))
            assert len(children) == 2
        finally:
            parent.kill()
    deadline = time.monotonic() + 30
    while (left := [pid for pid in children if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def mentioning(*words: str) -> list[int]:
    """Processes that have one of ``words`` in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue  # ended meanwhile
        if any(word in line for word in words):
            found.append(int(entry.name))
    return found


def is_running(pid: int) -> bool:
    """False for a zombie, too: whoever reaps it has not got round to it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
