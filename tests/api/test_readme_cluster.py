"""The README's commands for a cluster, in its order, on a real API server with the real operator and agents.

Not run: building and pushing the image, for which a container engine and a registry are needed.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.reader import CHECKOUT, Reader
from vipa_lab.kube.wholecluster import CONVERGE_S, WholeCluster
from vipa_lab.lab import Lab


def commands() -> list[str]:
    section = (CHECKOUT / "README.md").read_text().split("\n## On Kubernetes\n")[1].split("\n## ")[0]
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)).splitlines()
    return [line.partition(" #")[0].strip() for line in lines if not line.startswith("docker ")]


@pytest.fixture
def server(machine: None, tmp_path: Path) -> Iterator[ApiServer]:
    """As a cluster is before anybody installs vipa."""
    with ApiServer(tmp_path / "api") as made:
        yield made


def test_the_readme_is_followed_word_for_word(server: ApiServer, lab: Lab, tmp_path: Path) -> None:
    reader = Reader(server, tmp_path, Path(sys.executable).parent)  # a Python that is new enough for kubectl-vipa
    plugin = reader.programs / "kubectl-vipa"
    subprocess.run([sys.executable, CHECKOUT / "tools/zipapp", plugin], check=True, capture_output=True)
    steps = commands()
    install = next(i for i, step in enumerate(steps) if step.startswith("helm ")) + 1
    for step in steps[:install]:
        reader.follow(step)
    with WholeCluster(lab, server, tmp_path) as cluster:
        cluster.start("w1", "w2")
        cluster.wait(lambda: all(cluster.reports(name) for name in ("w1", "w2")), "interfaces reported", CONVERGE_S)
        said: dict[str, str] = {}
        for step in steps[install:]:
            said[step] = reader.follow(step)
            if step.startswith("kubectl apply"):
                cluster.wait_peers()
                cluster.wait_holder("w1/eth1")
                cluster.wait_spares()
            if " move " in step:
                cluster.wait_holder("w2/eth1")
        assert "w1/eth1" in said["kubectl get virtualips"]
        assert "10.1.1.7" in said["kubectl vipa status"]
        assert re.search(r"^3 +w2/eth1 +10\.1\.1\.6 ", said["kubectl vipa explain erp"], re.MULTILINE)
        cluster.wait_holder("w2/eth1")
