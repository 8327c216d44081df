"""install.yaml on an API server: its pods' rights are enough, none is too many, and an agent's end at its own node."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from vipa import __version__
from vipa.heartbeat.keys import parse_keys
from vipa_lab.kube.accounts import AGENT, SYSTEM, add_node, node_token
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.asker import USER_AGENT, Asker
from vipa_lab.kube.audit import Audit, Right
from vipa_lab.kube.helm import CHART, Helm
from vipa_lab.kube.kubectl import Kubectl, KubectlError
from vipa_lab.kube.objects import Object, Objects, path_of
from vipa_lab.kube.operatorprocess import OperatorProcess
from vipa_lab.kube.played import obey, until
from vipa_lab.kube.pods import run_container
from vipa_lab.kube.relay import Relay
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.process import AGENT_CAPABILITIES
from vipa_lab.scenario import ibm_i_lab

ROOT: Final = Path(__file__).parents[2]
OPERATOR: Final = "vipa-operator"
NODES: Final = "/apis/vipa.dev/v1alpha1/virtualipnodes"
KEY: Final = "vipa-heartbeat-key"
WAIT_S: Final = 90.0
NOTED_S: Final = 10.0
DRY_RUN: Final = "?dryRun=All"
"""Roles and policy are in force a moment after they were made: asked so, nothing is written before."""
POOL: Final = """\
apiVersion: vipa.dev/v1alpha1
kind: VirtualIPPool
metadata: {name: office}
spec: {ranges: [10.1.1.200-10.1.1.250]}
"""


class Installed(NamedTuple):
    """An API server with install.yaml applied, which notes down what vipa's programs ask of it."""

    api: ApiServer
    audit: Audit


@pytest.fixture(scope="module")
def installed(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    folder = tmp_path_factory.mktemp("rights")
    audit = Audit(folder, (AGENT, OPERATOR))
    with ApiServer(folder / "api", *audit.flags) as started:
        install(started.kubectl)
        wait = ("wait", "--for=condition=Established", "--timeout=60s", "crd")
        started.kubectl.run(*wait, *(f"{name}.vipa.dev" for name in ("virtualips", "virtualipnodes")))
        yield Installed(started, audit)


@pytest.fixture
def server(installed: Installed) -> ApiServer:
    return installed.api


def install(kubectl: Kubectl) -> None:
    kubectl.run("apply", "--server-side", "-f", str(ROOT / "install.yaml"))


# --- the key


def test_the_key_is_made_in_the_cluster_once(server: ApiServer, tmp_path: Path) -> None:
    kubectl = server.kubectl
    (job,) = kubectl.list("jobs", SYSTEM)

    def key() -> str:
        return base64.b64decode(kubectl.get("secret", KEY, SYSTEM)["data"]["key"]).decode()

    pod = job["spec"]["template"]["spec"]
    assert run_container(server, pod, tmp_path) == (0, f"Secret {KEY} made\n")
    first = key()
    assert len(parse_keys(first, "key")) == 1
    install(kubectl)
    assert run_container(server, pod, tmp_path) == (0, f"Secret {KEY} is there already: kept\n")
    assert key() == first
    maker = Kubectl(server.token_kubeconfig(server.token(SYSTEM, "vipa-make-key")))
    with pytest.raises(KubectlError, match="Forbidden"):
        maker.get("secret", KEY, SYSTEM)


def test_going_over_to_helm_keeps_the_key(server: ApiServer, tmp_path: Path) -> None:
    kubectl = server.kubectl
    (job,) = kubectl.list("jobs", SYSTEM)
    run_container(server, job["spec"]["template"]["spec"], tmp_path)
    key = kubectl.get("secret", KEY, SYSTEM)["data"]
    helm = Helm(tmp_path, server.admin)
    release = ("vipa", str(CHART), "-n", SYSTEM)
    command = ("upgrade", "--install", *release, "--force-conflicts", "--set=crds.install=false")
    helm.run(*command, "--take-ownership")
    assert kubectl.get("secret", KEY, SYSTEM)["data"] == key
    helm.run(*command, "--set=image.repository=registry.example/vipa")
    assert kubectl.get("secret", KEY, SYSTEM)["data"] == key
    for kind, name in (("daemonset", AGENT), ("deployment", OPERATOR)):
        (container,) = kubectl.get(kind, name, SYSTEM)["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"registry.example/vipa:{__version__}"


# --- Pod Security


@pytest.mark.parametrize(
    ("kind", "name", "level", "refused"),
    [
        ("daemonsets", "vipa-agent", "baseline", True),
        ("daemonsets", "vipa-agent", "privileged", False),
        ("deployments", "vipa-operator", "restricted", False),
        ("jobs", f"vipa-make-key-{__version__.replace('.', '-')}", "restricted", False),
    ],
)
def test_agents_alone_need_the_privileged_level(
    server: ApiServer, kind: str, name: str, level: str, refused: bool
) -> None:
    objects = server.objects
    label = "pod-security.kubernetes.io/enforce"
    assert objects.get("namespaces", SYSTEM)["metadata"]["labels"][label] == "privileged"

    def is_refused(kind: str, name: str) -> bool:
        spec = objects.get(kind, name, SYSTEM)["spec"]["template"]["spec"]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": SYSTEM}, "spec": spec}
        status, answer = server.rest.ask("POST", f"{path_of('pods', SYSTEM)}?dryRun=All", pod)
        assert status == 201 or "violates PodSecurity" in answer["message"], answer
        return bool(status != 201)

    def in_force(level: str) -> None:
        objects.patch("namespaces", SYSTEM, {"metadata": {"labels": {label: level}}})
        until(lambda: is_refused("daemonsets", AGENT) == (level != "privileged"), f"{level} is in force", WAIT_S)

    in_force(level)
    try:
        assert is_refused(kind, name) == refused
    finally:
        in_force("privileged")


# --- the policy


def report(agent: Asker, node: str, query: str = "") -> str:
    """What an agent says of a node, in short; why it may not."""
    body = {"status": {"agent": {"version": "0.1.0", "bootID": "b"}}}
    return agent.refusal("PATCH", f"{NODES}/{node}/status{query}", body)


def virtual_ip_node(name: str) -> dict[str, Any]:
    return {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIPNode", "metadata": {"name": name}}


@pytest.fixture
def nodes(server: ApiServer) -> Iterator[Objects]:
    """Nodes and VirtualIPNodes w8 and w9, for the admin."""
    for name in ("w8", "w9"):
        add_node(server, name)
        server.objects.apply(virtual_ip_node(name))
    yield server.objects
    for name in ("w8", "w9"):
        server.objects.delete("virtualipnodes", name)
        server.objects.delete("nodes", name)


def test_an_agent_writes_the_status_of_its_own_node_only(server: ApiServer, nodes: Objects) -> None:
    agent = Asker(server, node_token(server, "w8"))
    refused = "the agent of node w8 may write its own VirtualIPNode only, not w9"
    until(lambda: refused in report(agent, "w9", DRY_RUN), "the policy is in force", WAIT_S)
    assert refused in report(agent, "w9")
    assert report(agent, "w8") == ""
    assert nodes.get("virtualipnodes", "w8")["status"]["agent"]["version"] == "0.1.0"
    assert "status" not in nodes.get("virtualipnodes", "w9")


def test_a_token_that_names_no_node_writes_nothing(server: ApiServer, nodes: Objects) -> None:
    anywhere = Asker(server, server.token(SYSTEM, AGENT))
    refused = "this token of vipa-agent names no node"
    until(lambda: refused in report(anywhere, "w8", DRY_RUN), "the policy is in force", WAIT_S)
    assert refused in report(anywhere, "w8")
    assert "status" not in nodes.get("virtualipnodes", "w8")


def test_the_policy_holds_whatever_roles_somebody_adds(server: ApiServer, nodes: Objects) -> None:
    """And it is about agents alone: the admin of the fixture made and deletes these very objects."""
    whom = f"--serviceaccount={SYSTEM}:{AGENT}"
    server.kubectl.run("create", "clusterrolebinding", "too-much", "--clusterrole=cluster-admin", whom)
    agent = Asker(server, node_token(server, "w8"))
    try:
        until(lambda: not agent.refusal("GET", f"/api/v1/namespaces/{SYSTEM}/secrets"), "the role is in force", WAIT_S)
        spec = {"spec": {"epoch": 9}}
        refused = "the spec is the operator's"
        until(lambda: refused in agent.refusal("PATCH", f"{NODES}/w8{DRY_RUN}", spec), "the policy is in force", WAIT_S)
        assert refused in agent.refusal("PATCH", f"{NODES}/w8", spec)
        assert refused in agent.refusal("DELETE", f"{NODES}/w8")
        for method, path, body in (
            ("POST", NODES, virtual_ip_node("w7")),
            ("DELETE", f"{NODES}/w9", None),
            ("DELETE", NODES, None),
            ("PATCH", f"{NODES}/w9", spec),
        ):
            assert "may write its own VirtualIPNode only" in agent.refusal(method, path, body)
    finally:
        server.kubectl.delete("clusterrolebinding", "too-much")


# --- rights


def test_every_right_is_used_and_none_is_missing(installed: Installed, lab: Lab, tmp_path: Path) -> None:
    server, audit = installed
    kubectl, objects = server.kubectl, server.objects
    for name in ("w1", "w3"):
        add_node(server, name)
    scenario = ibm_i_lab(lab)
    for text in (POOL, preferred_list(*scenario.preferred), virtual_ip()):
        kubectl.apply(text)
    node = scenario.nodes[0]
    account = server.token_kubeconfig(server.token(SYSTEM, OPERATOR))
    with Relay(node, server) as relay, OperatorProcess(account, tmp_path) as operator:
        config = server.token_kubeconfig(node_token(server, node.name), server=relay.url)
        words = ["--node", node.name, "--api", "--kubeconfig", str(config), "--key-file", str(lab.key_file)]
        argv = [sys.executable, "-m", "vipa_agent.main", *words, "--state-dir", str(node.state_dir)]
        agent = node.start(argv, "agent", capabilities=AGENT_CAPABILITIES)
        objects.wait("virtualipnodes", "w1", lambda it: bool(it.get("status", {}).get("interfaces")), WAIT_S)
        objects.wait("virtualips", "erp", lambda it: bool(it.get("status", {}).get("conditions")), WAIT_S)
        objects.wait("virtualipnodes", "w3", lambda _: True, WAIT_S)
        for times in (1, 2):
            ask_for_nonsense(objects, times)
        take_away(objects, "w3")
        agent.terminate(WAIT_S)
        operator.terminate()
        operator.start()  # it knows nothing of the Events of the one before
        ask_for_nonsense(objects, 3)
        operator.terminate()
    look_for_what_a_watch_missed(account)

    granted = audit.granted(kubectl)

    def asked() -> tuple[set[Right], list[str]]:
        return audit.asked(leaving_out=USER_AGENT)  # tests of the policy, above

    # An answer may be there before the line that says so.
    with suppress(AssertionError):
        until(lambda: not granted - asked()[0], "all is noted down", NOTED_S)
    used, refused = asked()
    assert refused == []
    assert granted - used == set(), "granted, and never used"


def ask_for_nonsense(objects: Objects, times: int) -> None:
    """A move to nowhere, for the ``times``-th time: the request is taken away, and refused by an Event."""

    def is_pending(vip: Object) -> bool:
        return "vipa.dev/move-to" in vip["metadata"].get("annotations", {})

    objects.patch("virtualips", "erp", {"metadata": {"annotations": {"vipa.dev/move-to": "nowhere"}}})
    objects.wait("virtualips", "erp", lambda it: not is_pending(it), WAIT_S)

    def counted() -> bool:
        return times in [each.get("count") for each in objects.list("events", "default")]

    until(counted, f"one Event, {times} times", WAIT_S)


def take_away(objects: Objects, node: str) -> None:
    """A Node whose agent, which is played, serves nothing."""
    objects.patch("virtualipnodes", node, {"status": {"node": node}}, "status")
    objects.wait("virtualipnodes", node, lambda it: it["spec"]["epoch"] > 0, WAIT_S)
    obey(objects, node)
    objects.delete("nodes", node)
    until(lambda: objects.find("virtualipnodes", node) is None, f"{node} is gone", WAIT_S)


def look_for_what_a_watch_missed(kubeconfig: Path) -> None:
    """As the operator does it, when a watch broke: here it would be chance."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from vipa_operator.api import Api\n"
        "from vipa_operator.ghosts import lay_ghosts\n"
        "from vipa_operator.login import login\n"
        "from vipa_operator.reconcile.cluster import Kind\n"
        "from vipa_operator.store import Store\n"
        "async def run():\n"
        "    api = Api(lambda: login(pathlib.Path(sys.argv[1])))\n"
        "    for kind in Kind:\n"
        "        assert await lay_ghosts(api, Store(), kind), kind\n"
        "    await api.close()\n"
        "asyncio.run(run())\n"
    )
    subprocess.run([sys.executable, "-c", program, str(kubeconfig)], check=True, timeout=WAIT_S)
