"""docs/install.md followed word for word: its `sh` blocks, in order, on a real API server.

Not run: building and pushing the image, for which a container engine and a registry are needed. No controllers and no
kubelets run either, so a stand-in says of every rollout that it is over.
"""

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from vipa_lab.kube.accounts import SYSTEM
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.reader import CHECKOUT, Reader
from vipa_lab.kube.wholecluster import CONVERGE_S, WholeCluster
from vipa_lab.lab import Lab

ROLLED_OUT: Final = {
    "daemonsets/vipa-agent": (
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberReady",
    ),
    "deployments/vipa-operator": ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas"),
}
LOOK_S: Final = 0.2


def blocks() -> list[str]:
    """What a reader pastes, in the document's order."""
    text = (CHECKOUT / "docs/install.md").read_text()
    return [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if not block.startswith("docker ")]


@contextmanager
def rollouts(server: ApiServer) -> Iterator[None]:
    """Every rollout of vipa's is over as soon as it is asked for."""
    over = threading.Event()

    def play() -> None:
        while not over.wait(LOOK_S):
            for name, counts in ROLLED_OUT.items():
                path = f"/apis/apps/v1/namespaces/{SYSTEM}/{name}"
                code, found = server.rest.ask("GET", path)
                if code == 200 and found["status"].get("observedGeneration") != found["metadata"]["generation"]:
                    status = {"observedGeneration": found["metadata"]["generation"]} | dict.fromkeys(counts, 2)
                    server.rest.ask("PATCH", f"{path}/status", {"status": status}, "application/merge-patch+json")

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_with_helm(machine: None, lab: Lab, tmp_path: Path) -> None:
    steps = [block for block in blocks() if "install.yaml" not in block]
    install = next(i for i, block in enumerate(steps) if "helm upgrade --install" in block) + 1
    with ApiServer(tmp_path / "api") as server, rollouts(server):
        follow = Reader(server, tmp_path).follow
        for block in steps[:install]:
            follow(block)
        with WholeCluster(lab, server, tmp_path) as cluster:
            cluster.start("w1", "w2")
            cluster.wait(lambda: all(cluster.reports(name) for name in ("w1", "w2")), "interfaces reported", CONVERGE_S)
            said = "".join(follow(block) for block in steps[install:-1])
            assert "w1" in said, "the nodes are listed"
            assert "10.1.1.7" in said, "the virtual IP is listed"
            keys = server.kubectl.get("secret", "vipa-heartbeat-key", SYSTEM)["data"]["key"]
            assert re.findall(r"^(\w+):", base64.b64decode(keys).decode(), re.MULTILINE) == ["k2"]
            follow(steps[-1])
            assert server.kubectl.list("virtualips") == []
            assert server.kubectl.list("daemonsets", SYSTEM) == []


@pytest.mark.usefixtures("forget_crds")
def test_with_kubectl(bare_api: ApiServer, tmp_path: Path) -> None:
    (block,) = (block for block in blocks() if "install.yaml" in block)
    Reader(bare_api, tmp_path).follow(block)
    agent = bare_api.kubectl.get("daemonset", "vipa-agent", SYSTEM)
    image = agent["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "registry.example.org/vipa:0.1.0"
    assert bare_api.kubectl.list("virtualips") == []
