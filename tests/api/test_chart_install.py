"""The chart on an API server: installed, upgraded, keys rotated, tested, removed."""

import base64
import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Final

import pytest

from vipa.heartbeat.keys import parse_keys
from vipa_lab.kube.accounts import CLUSTER_WIDE, NAMESPACED, OURS, SYSTEM
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.helm import CHART, Helm, HelmError
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.kube.pods import run_container
from vipa_lab.kube.types import await_types_gone

SECRET: Final = "vipa-heartbeat-key"
CRDS: Final = "crds"
# For what needs no CRDs: an upgrade with them takes a second longer.
BARE: Final = ("crds.install=false",)
VIP: Final = json.dumps(
    {
        "apiVersion": "vipa.dev/v1alpha1",
        "kind": "VirtualIP",
        "metadata": {"name": "erp"},
        "spec": {"addresses": ["10.1.1.7"]},
    }
)
NODE: Final = json.dumps({"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIPNode", "metadata": {"name": "w1"}})

LEASE: Final = json.dumps(
    {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "vipa-operator", "namespace": SYSTEM},
        "spec": {"holderIdentity": "one"},
    }
)
WAIT_S: Final = 60.0


@pytest.fixture
def cluster(bare_api: ApiServer) -> Kubectl:
    return bare_api.kubectl


@pytest.fixture
def helm(bare_api: ApiServer, tmp_path: Path) -> Helm:
    return Helm(tmp_path, bare_api.admin)


def deploy(helm: Helm, *values: str, chart: Path = CHART) -> str:
    """Install or upgrade, as docs/install.md has it."""
    command = ("upgrade", "--install", "vipa", str(chart), f"--namespace={SYSTEM}")
    return helm.run(*command, *(f"--set={value}" for value in values))


def key_lines(kubectl: Kubectl) -> list[str]:
    """Lines of the key file as agents see it."""
    text = base64.b64decode(kubectl.get("secret", SECRET, SYSTEM)["data"]["key"]).decode()
    parse_keys(text, "key")
    return text.split()


def remaining(kubectl: Kubectl) -> dict[str, list[str]]:
    """What of vipa there is, and who keeps it from being deleted."""
    found = json.loads(kubectl.run("get", f"{CRDS},{CLUSTER_WIDE},{NAMESPACED}", "-A", "-l", OURS, "-o", "json"))[
        "items"
    ]
    return {f"{each['kind']} {each['metadata']['name']}": each["metadata"].get("finalizers", []) for each in found}


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The chart as an older one may have been, whose CRDs were others."""
    chart = tmp_path / "older"
    shutil.copytree(CHART, chart)
    crd = chart / "files/crds/virtualips.yaml"
    text = crd.read_text()
    assert "- vip\n" in text
    crd.write_text(text.replace("- vip\n", "- older\n"))
    return chart


def test_installed_upgraded_removed(cluster: Kubectl, helm: Helm, older: Path) -> None:
    notes = deploy(helm, chart=older)
    assert "rollout status daemonset/vipa-agent" in notes
    for kind, name in (("daemonset", "vipa-agent"), ("deployment", "vipa-operator"), ("pdb", "vipa-operator")):
        assert cluster.get(kind, name, SYSTEM)
    cluster.run("wait", "--for=condition=Established", "--timeout=60s", "crd", "-l", OURS)
    cluster.apply(VIP)
    assert cluster.get("older", "erp")["spec"]["addresses"] == ["10.1.1.7"]

    key = key_lines(cluster)
    crd = cluster.get("crd", "virtualips.vipa.dev")["metadata"]["uid"]
    agents = cluster.get("daemonset", "vipa-agent", SYSTEM)["metadata"]["generation"]
    deploy(helm, "operator.replicas=3")
    assert cluster.get("deployment", "vipa-operator", SYSTEM)["spec"]["replicas"] == 3
    assert cluster.get("daemonset", "vipa-agent", SYSTEM)["metadata"]["generation"] == agents, "agents were rolled"
    assert key_lines(cluster) == key
    upgraded = cluster.get("crd", "virtualips.vipa.dev")
    assert upgraded["spec"]["names"]["shortNames"] == ["vip"]
    assert upgraded["metadata"]["uid"] == crd

    assert "kept due to the resource policy" in helm.run(
        "uninstall", "vipa", f"--namespace={SYSTEM}", f"--timeout={WAIT_S:g}s", "--wait", timeout_s=2 * WAIT_S
    )
    left = remaining(cluster)
    assert {name.split()[0] for name in left} == {"CustomResourceDefinition"}
    assert cluster.get("vip", "erp")["metadata"].get("finalizers", []) == []
    deploy(helm)  # over the CRDs that were kept
    assert cluster.get("vip", "erp")["spec"]["addresses"] == ["10.1.1.7"]
    cluster.delete("vip", "erp")
    assert cluster.find("vip", "erp") is None


def test_keys_are_rotated_without_a_gap(cluster: Kubectl, helm: Helm) -> None:
    deploy(helm, *BARE)
    (first,) = key_lines(cluster)
    assert first.startswith("k1:")
    with pytest.raises(HelmError, match='"k2" cannot sign yet'):
        deploy(helm, *BARE, "heartbeatKey.ids={k2,k1}")
    template = ("spec", "template", "metadata", "annotations")
    seen = set()
    for ids, wanted in (("{k1,k2}", "k1 k2"), ("{k2,k1}", "k2 k1"), ("{k2}", "k2")):
        if ids == "{k2,k1}":
            with pytest.raises(HelmError, match='"k1" signs now and cannot go yet'):
                deploy(helm, *BARE, "heartbeatKey.ids={k2}")
        deploy(helm, *BARE, f"heartbeatKey.ids={ids}")
        lines = key_lines(cluster)
        assert [line.split(":")[0] for line in lines] == wanted.split()
        assert first in lines or ids == "{k2}"
        agents: Any = cluster.get("daemonset", "vipa-agent", SYSTEM)
        for name in template:
            agents = agents[name]
        seen.add(agents["vipa.dev/heartbeat-keys"])
    bare = base64.b64encode(b"0123456789abcdef0123456789abcdef\n").decode()
    cluster.patch("secret", SECRET, {"data": {"key": bare}}, namespace=SYSTEM)
    with pytest.raises(HelmError, match="has a key without an id"):
        deploy(helm, *BARE)
    assert len(seen) == 3, "each step has to be a rollout: its end tells that every agent has the keys"


def test_helm_test_says_what_is_amiss(bare_api: ApiServer, cluster: Kubectl, helm: Helm, tmp_path: Path) -> None:
    deploy(helm)
    cluster.run("wait", "--for=condition=Established", "--timeout=60s", "crd", "-l", OURS)
    ended: list[str] = []

    def try_it() -> None:
        try:
            ended.append(helm.run("test", "vipa", f"--namespace={SYSTEM}", "--timeout=100s"))
        except HelmError as error:
            ended.append(str(error))

    testing = threading.Thread(target=try_it)
    testing.start()
    try:
        pod = cluster.wait("pod", "vipa-test", lambda _: True, 60, SYSTEM)

        def says(*wanted: object) -> None:
            deadline = time.monotonic() + WAIT_S
            while (said := run_container(bare_api, pod["spec"], tmp_path / "account")) != wanted:
                # A server that has just got the CRDs asks for patience.
                assert "refuses: 429" in said[1], said
                assert time.monotonic() < deadline, said

        says(1, "no operator leads: see kubectl logs deployment/vipa-operator\n")
        cluster.apply(LEASE)
        says(1, "no agent runs on any node: see kubectl describe daemonset/vipa-agent\n")
        cluster.apply(NODE)
        says(1, "node w1: its agent has not said anything yet\n")
        status = {"status": {"agent": {"version": "0.1.0", "bootID": "b"}}}
        cluster.patch("virtualipnode", "w1", status, "--subresource=status")
        says(0, "vipa works: 1 agents, operator one\n")
    finally:  # what a kubelet would say of it
        if cluster.find("pod", "vipa-test", SYSTEM):
            cluster.patch(
                "pod", "vipa-test", {"status": {"phase": "Succeeded"}}, "--subresource=status", namespace=SYSTEM
            )
        testing.join(120)
    assert "Phase:          Succeeded" in ended[0]
    cluster.delete("virtualipnode", "w1")
    cluster.delete("lease", "vipa-operator", SYSTEM)
    assert not [name for name in remaining(cluster) if name.endswith("vipa-test")]


def test_without_keeping_all_goes_and_nothing_hangs(cluster: Kubectl, helm: Helm) -> None:
    deploy(helm, "crds.keep=false")
    cluster.run("wait", "--for=condition=Established", "--timeout=60s", "crd", "-l", OURS)
    cluster.apply(VIP)
    cluster.apply(NODE)
    helm.run("uninstall", "vipa", f"--namespace={SYSTEM}")
    await_types_gone(cluster)
    assert remaining(cluster) == {}
