"""install.yaml on an API server: its pods' rights are enough, none is too many, and an agent's end at its own node."""

import base64
import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from vipa import __version__
from vipa.heartbeat.keys import parse_keys
from vipa_lab.kube.accounts import AGENT, SYSTEM, add_node, node_token
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.helm import CHART, Helm
from vipa_lab.kube.kubectl import Kubectl, KubectlError
from vipa_lab.kube.pods import run_container
from vipa_lab.kube.relay import Relay
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.process import AGENT_CAPABILITIES
from vipa_lab.scenario import ibm_i_lab

ROOT: Final = Path(__file__).parents[2]
OPERATOR: Final = "vipa-operator"
ACCOUNTS: Final = (AGENT, OPERATOR)
NODES: Final = "/apis/vipa.dev/v1alpha1/virtualipnodes"
KEY: Final = "vipa-heartbeat-key"
WAIT_S: Final = 90.0
POOL: Final = """\
apiVersion: vipa.dev/v1alpha1
kind: VirtualIPPool
metadata: {name: office}
spec: {ranges: [10.1.1.200-10.1.1.250]}
"""


class Right(NamedTuple):
    """``namespace`` "": everywhere. ``resource`` with its subresource."""

    account: str
    verb: str
    group: str
    resource: str
    namespace: str


@pytest.fixture(scope="module")
def server(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with install.yaml applied, which notes down what vipa's programs ask of it."""
    folder = tmp_path_factory.mktemp("rights")
    users = [f"system:serviceaccount:{SYSTEM}:{name}" for name in ACCOUNTS]
    rules = [{"level": "Metadata", "users": users}, {"level": "None"}]
    policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
    (folder / "policy.yaml").write_text(json.dumps(policy))
    flags = (f"--audit-policy-file={folder / 'policy.yaml'}", f"--audit-log-path={folder / 'audit.log'}")
    with ApiServer(folder / "api", *flags) as started:
        install(started.kubectl)
        wait = ("wait", "--for=condition=Established", "--timeout=60s", "crd")
        started.kubectl.run(*wait, *(f"{name}.vipa.dev" for name in ("virtualips", "virtualipnodes")))
        yield started


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
    command = (
        "upgrade",
        "--install",
        "vipa",
        str(CHART),
        "-n",
        SYSTEM,
        "--force-conflicts",
        "--set=crds.install=false",
    )
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
        ("daemonset", "vipa-agent", "baseline", True),
        ("daemonset", "vipa-agent", "privileged", False),
        ("deployment", "vipa-operator", "restricted", False),
        ("job", f"vipa-make-key-{__version__.replace('.', '-')}", "restricted", False),
    ],
)
def test_agents_alone_need_the_privileged_level(
    server: ApiServer, kind: str, name: str, level: str, refused: bool
) -> None:
    kubectl = server.kubectl
    label = "pod-security.kubernetes.io/enforce"
    assert kubectl.get("namespace", SYSTEM)["metadata"]["labels"][label] == "privileged"
    spec = kubectl.get(kind, name, SYSTEM)["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": SYSTEM}, "spec": spec}
    kubectl.run("label", "namespace", SYSTEM, f"{label}={level}", "--overwrite")
    try:
        if refused:
            with pytest.raises(KubectlError, match="violates PodSecurity"):
                kubectl.apply(json.dumps(pod), "--dry-run=server")
        else:
            kubectl.apply(json.dumps(pod), "--dry-run=server")
    finally:
        kubectl.run("label", "namespace", SYSTEM, f"{label}=privileged", "--overwrite")


# --- the policy


class Asker:
    """Requests with a token, as an agent makes them: kubectl would read each object first."""

    def __init__(self, server: ApiServer, token: str) -> None:
        self._server = server
        self._token = token
        self._context = ssl.create_default_context(cafile=server.ca_file)

    def refusal(self, method: str, path: str, body: object = None) -> str:
        """Why the API server refused; "" when it did not."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._server.url}{path}", data, headers, method=method)
        try:
            urllib.request.urlopen(request, timeout=30, context=self._context).close()
        except urllib.error.HTTPError as error:
            return f"{error.code}: {json.load(error)['message']}"
        return ""

    def report(self, node: str) -> str:
        """What an agent says, in short."""
        body = {"status": {"agent": {"version": "0.1.0", "bootID": "b"}}}
        return self.refusal("PATCH", f"{NODES}/{node}/status", body)


def virtual_ip_node(name: str) -> dict[str, Any]:
    return {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIPNode", "metadata": {"name": name}}


@pytest.fixture
def nodes(server: ApiServer) -> Iterator[Kubectl]:
    """Nodes and VirtualIPNodes w8 and w9, for the admin."""
    kubectl = server.kubectl
    for name in ("w8", "w9"):
        add_node(kubectl, name)
        kubectl.apply(json.dumps(virtual_ip_node(name)))
    yield kubectl
    for name in ("w8", "w9"):
        kubectl.delete("virtualipnode", name)
        kubectl.delete("node", name)


def test_an_agent_writes_the_status_of_its_own_node_only(server: ApiServer, nodes: Kubectl) -> None:
    agent = Asker(server, node_token(server, "w8"))
    until(lambda: agent.report("w9") != "", "the policy is in force")
    assert "the agent of node w8 may write its own VirtualIPNode only, not w9" in agent.report("w9")
    assert agent.report("w8") == ""
    assert nodes.get("virtualipnode", "w8")["status"]["agent"]["version"] == "0.1.0"


def test_a_token_that_names_no_node_writes_nothing(server: ApiServer, nodes: Kubectl) -> None:
    anywhere = Asker(server, server.token(SYSTEM, AGENT))
    until(lambda: anywhere.report("w8") != "", "the policy is in force")
    assert "this token of vipa-agent names no node" in anywhere.report("w8")


def test_the_policy_holds_whatever_roles_somebody_adds(server: ApiServer, nodes: Kubectl) -> None:
    """And it is about agents alone: the admin of the fixture made and deletes these very objects."""
    whom = f"--serviceaccount={SYSTEM}:{AGENT}"
    nodes.run("create", "clusterrolebinding", "too-much", "--clusterrole=cluster-admin", whom)
    agent = Asker(server, node_token(server, "w8"))
    try:
        until(lambda: not agent.refusal("GET", f"/api/v1/namespaces/{SYSTEM}/secrets"), "the role is in force")
        spec = {"spec": {"epoch": 9}}
        assert "the spec is the operator's" in agent.refusal("PATCH", f"{NODES}/w8", spec)
        assert "the spec is the operator's" in agent.refusal("DELETE", f"{NODES}/w8")
        for method, path, body in (
            ("POST", NODES, virtual_ip_node("w7")),
            ("DELETE", f"{NODES}/w9", None),
            ("DELETE", NODES, None),
            ("PATCH", f"{NODES}/w9", spec),
        ):
            assert "may write its own VirtualIPNode only" in agent.refusal(method, path, body)
    finally:
        nodes.delete("clusterrolebinding", "too-much")


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WAIT_S:g} s: {what}"
        time.sleep(0.2)


# --- rights


def test_every_right_is_used_and_none_is_missing(server: ApiServer, lab: Lab, tmp_path: Path) -> None:
    kubectl = server.kubectl
    for name in ("w1", "w3"):
        add_node(kubectl, name)
    scenario = ibm_i_lab(lab)
    for text in (POOL, preferred_list(*scenario.preferred), virtual_ip()):
        kubectl.apply(text)
    node = scenario.nodes[0]
    account = server.token_kubeconfig(server.token(SYSTEM, OPERATOR))
    with Relay(node, server) as relay, operator(account, tmp_path):
        config = server.token_kubeconfig(node_token(server, node.name), server=relay.url)
        words = ["--node", node.name, "--api", "--kubeconfig", str(config), "--key-file", str(lab.key_file)]
        argv = [sys.executable, "-m", "vipa_agent.main", *words, "--state-dir", str(node.state_dir)]
        agent = node.start(argv, "agent", capabilities=AGENT_CAPABILITIES)
        kubectl.wait("vipn", "w1", lambda it: bool(it.get("status", {}).get("interfaces")), WAIT_S)
        kubectl.wait("vip", "erp", lambda it: bool(it.get("status", {}).get("conditions")), WAIT_S)
        kubectl.wait("vipn", "w3", lambda _: True, WAIT_S)
        for _ in range(2):
            ask_for_nonsense(kubectl)
        agent.terminate()
    with operator(account, tmp_path):  # which knows nothing of the Events of the one before
        ask_for_nonsense(kubectl)
        until(
            lambda: 3 in [event.get("count") for event in kubectl.list("events", "default")], "the third of one Event"
        )
    look_for_what_a_watch_missed(account)

    used, refused = asked(server.folder.parent / "audit.log")
    assert refused == []
    assert granted(kubectl) - used == set(), "granted, and never used"


@contextmanager
def operator(kubeconfig: Path, folder: Path) -> Iterator[None]:
    """A running operator, asked to stop at the end."""
    argv = [sys.executable, "-m", "vipa_operator.main", "--kubeconfig", str(kubeconfig), "--listen", "127.0.0.1:0"]
    with (folder / "operator.log").open("ab") as log, subprocess.Popen(argv, stdout=log, stderr=log) as running:
        try:
            yield
        finally:
            running.terminate()
            running.wait(30)


def ask_for_nonsense(kubectl: Kubectl) -> None:
    """A move to nowhere: refused by an Event, and the request is taken away."""
    kubectl.run("annotate", "vip", "erp", "vipa.dev/move-to=nowhere")
    kubectl.wait("vip", "erp", lambda it: "vipa.dev/move-to" not in it["metadata"].get("annotations", {}), WAIT_S)


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
    subprocess.run([sys.executable, "-c", program, str(kubeconfig)], check=True, timeout=60)


def asked(log: Path) -> tuple[set[Right], list[str]]:
    """What vipa's programs asked for, and what of it they were refused, from the audit log."""
    used: set[Right] = set()
    refused: list[str] = []
    for line in log.read_text().splitlines():
        entry: dict[str, Any] = json.loads(line)
        if entry["userAgent"].startswith("Python-urllib"):
            continue  # tests of the policy, above
        account = entry["user"]["username"].rpartition(":")[2]
        what = entry.get("objectRef", {})
        resource = "/".join(part for part in (what.get("resource"), what.get("subresource")) if part)
        status = entry.get("responseStatus", {}).get("code", 0)
        if status == 403:
            refused.append(f"{account}: {entry['verb']} {resource}: {entry['responseStatus']}")
        # A server-side apply that makes the object is asked for as patch and needs create too.
        verbs = {entry["verb"], *(["create"] if status == 201 else [])}
        for namespace in ("", what.get("namespace", "")):
            used |= {Right(account, verb, what.get("apiGroup", ""), resource, namespace) for verb in verbs}
    return used, refused


def granted(kubectl: Kubectl) -> set[Right]:
    """What the roles say that are bound to vipa's programs, as the API server has them."""
    found: set[Right] = set()
    for kind in ("clusterrolebinding", "rolebinding"):
        for binding in json.loads(kubectl.run("get", kind, "-A", "-o", "json"))["items"]:
            accounts = {each["name"] for each in binding.get("subjects", []) if each.get("namespace") == SYSTEM}
            role, namespace = binding["roleRef"], binding["metadata"].get("namespace", "")
            for account in accounts & set(ACCOUNTS):
                rules = kubectl.get(role["kind"], role["name"], namespace)["rules"]
                found |= {
                    Right(account, verb, group, resource, namespace)
                    for rule in rules
                    for verb in rule["verbs"]
                    for group in rule["apiGroups"]
                    for resource in rule["resources"]
                }
    assert {right.account for right in found} == set(ACCOUNTS)
    return found
