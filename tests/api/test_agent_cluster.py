"""Real agents on lab machines, their plans from a real API server: what the API says is served, and reported."""

import time
from collections.abc import Iterator

import pytest

from vipa.plan import Plan
from vipa.resources import InterfaceStatus
from vipa.timing import PROFILES, Timing
from vipa_lab.cluster import WAIT_S
from vipa_lab.kube.accounts import SYSTEM, add_node, node_token, write_service_account
from vipa_lab.kube.apicluster import ApiCluster
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.lab import Lab

CALM = PROFILES[Timing.CALM]
# Three times the second in which agents may write: one that writes though nothing changes is seen.
QUIET_S = 3.0
# An agent that ends gives its last status 0.4 s, which a busy machine may take from it.
TRIES = 3
ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-agent}
rules:
  - {apiGroups: [vipa.dev], resources: [virtualipnodes], verbs: [list, watch]}
  - {apiGroups: [vipa.dev], resources: [virtualipnodes/status], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-agent}
subjects: [{kind: ServiceAccount, name: vipa-agent, namespace: vipa-system}]
"""


def _versions(cluster: ApiCluster, after_s: float = 0.0) -> list[str]:
    time.sleep(after_s)
    return [cluster.node_object(name)["metadata"]["resourceVersion"] for name in ("w1", "w2")]


def _asked_anew(cluster: ApiCluster, word: str) -> bool:
    """Whether w1's agent has said so; if not, it is made to connect again: a server believes a token for 10 s more."""
    if word in cluster.agents["w1"].output():
        return True
    cluster.relays["w1"].cut()
    cluster.relays["w1"].resume()
    return False


def _role(cluster: ApiCluster, name: str) -> str:
    """What a node's agent has reported to be for erp, "" before it has."""
    return next((vip["role"] for vip in cluster.status_of(name).get("vips", [])), "")


def _term(cluster: ApiCluster) -> int:
    """Of w1, once it holds erp."""
    cluster.wait(lambda: "term" in cluster.erp("w1"), "w1 says its term")
    return int(cluster.erp("w1")["term"])


@pytest.fixture
def cluster(lab: Lab, api: ApiServer) -> Iterator[ApiCluster]:
    with ApiCluster(lab, api) as made:
        yield made


def test_interfaces_are_reported_before_a_plan_and_the_plan_is_served(cluster: ApiCluster) -> None:
    cluster.start("w1")
    nics = cluster.node("w1").nics.values()
    wanted = [(nic.name, [f"{nic.address}/24", f"{nic.address6}/64"]) for nic in nics]

    def interfaces() -> list[tuple[str, list[str]]]:
        return [(i["name"], i["addresses"]) for i in cluster.status_of("w1").get("interfaces", [])]

    cluster.wait_status(lambda: interfaces() == wanted, "interfaces")
    reported = cluster.status_of("w1")
    assert reported["agent"]["bootID"]
    assert InterfaceStatus(**reported["interfaces"][0]).mac == cluster.nic("w1/eth1").mac
    assert cluster.bound_on("w1") == []
    cluster.start("w2")
    cluster.assign()
    cluster.wait_serves("w1/eth1")
    cluster.wait_peers()
    cluster.wait_status(lambda: cluster.reported_holders() == ["w1"], "the holder in the API")
    (erp,) = cluster.status_of("w1")["vips"]
    assert (erp["role"], erp["interface"], erp["addresses"]) == ("Holder", "eth1", ["10.1.1.7"])
    cluster.wait_status(lambda: _role(cluster, "w2") == "Spare", "the spare")
    cluster.wait(lambda: _versions(cluster) == _versions(cluster, after_s=QUIET_S), "nothing is written any more")
    cluster.write_spec("w1", Plan(cluster.epoch + 1))
    cluster.write_spec("w2", Plan(cluster.epoch + 1))
    cluster.wait(lambda: not cluster.answerer() and not cluster.bound_on("w1"), "no longer assigned, no longer served")


def test_a_deleted_object_takes_no_address_away(cluster: ApiCluster) -> None:
    cluster.start_assigned()
    probe = cluster.datagrams()
    cluster.wait_answered(probe)
    for name in ("w1", "w2"):
        cluster.delete(name)
    cluster.agents["w1"].wait_output("serving on by the last plan", WAIT_S)
    cluster.hold("w1/eth1", 2.0)
    for name in ("w1", "w2"):
        cluster.create(name)
    cluster.wait_status(lambda: cluster.reported_holders() == ["w1"], "the new object has the status")
    cluster.hold("w1/eth1", CALM.silence_s)
    cluster.epoch = 0  # an operator that knows nothing of before
    cluster.assign()
    cluster.wait_status(lambda: cluster.status_of("w1").get("epoch") == 1, "the new object's plan is taken")
    cluster.wait_serves("w1/eth1")
    cluster.check_lossless(probe.stop())
    assert set(cluster.served()) == {"w1/eth1"}


def test_an_upgrade_moves_nothing_and_the_last_status_says_that_nothing_is_held(cluster: ApiCluster) -> None:
    cluster.start_assigned()
    probe = cluster.datagrams()
    cluster.wait_answered(probe)
    term, old = _term(cluster), cluster.agents["w1"]
    cluster.start("w1")
    cluster.agents["w1"].wait_output("started", WAIT_S)
    cluster.wait_serves("w1/eth1")
    assert old.terminate(WAIT_S) == 0
    cluster.wait_status(lambda: cluster.reported_holders() == ["w1"], "the holder in the API")
    cluster.hold("w1/eth1", CALM.permit_s)
    assert _term(cluster) == term
    cluster.check_lossless(probe.stop())

    for _ in range(TRIES):
        cluster.wait_status(lambda: cluster.reported_holders() == ["w1"], "the holder in the API")
        ended = cluster.agents["w1"]
        assert ended.terminate(WAIT_S) == 0
        if "last status not written" not in ended.output():
            break
        cluster.wait_serves("w2/eth1")
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
    assert cluster.reported_holders() in ([], ["w2"]), "stopped, and still said to hold"
    cluster.wait_serves("w2/eth1")
    cluster.wait_status(lambda: cluster.reported_holders() == ["w2"], "the next holder")
    assert cluster.leftovers("w1") == []


def test_a_pods_own_account_with_few_rights_is_enough_and_tokens_are_read_again(lab: Lab, api: ApiServer) -> None:
    with ApiCluster(lab, api) as cluster:
        account = cluster.node("w1").run_dir / "secrets/kubernetes.io/serviceaccount"
        for name in ("w1", "w2"):
            add_node(api, name)
        write_service_account(account, node_token(api, "w1"), api.ca_file)
        cluster.flags["w1"] = []
        cluster.environment["w1"] = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
        try:
            cluster.start("w1", "w2")
            agent = cluster.agents["w1"]
            agent.wait_output("api refuses", WAIT_S)  # 403: nobody has given it a right yet
            api.kubectl.apply(ROLE)
            cluster.assign()
            cluster.wait_serves("w1/eth1")
            api.objects.delete("pods", "vipa-agent-w1", SYSTEM)
            cluster.wait(lambda: _asked_anew(cluster, "401: "), "a deleted pod's token is worth nothing", WAIT_S, 2.0)
            write_service_account(account, node_token(api, "w1"), api.ca_file)
            cluster.assign()
            cluster.wait_status(lambda: cluster.status_of("w1").get("epoch") == cluster.epoch, "a new token")
            cluster.wait_serves("w1/eth1")
        finally:
            for kind in ("clusterrolebinding", "clusterrole"):
                api.kubectl.delete(kind, "test-agent")
