"""Tokens as Pods have them: who they are for, on which node, and for how long they are worth something."""

import json

from vipa_lab.kube.accounts import AGENT, SYSTEM, add_node, node_token, set_node_condition
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Kubectl, KubectlError
from vipa_lab.until import until


def user(kubectl: Kubectl) -> dict[str, object]:
    info: dict[str, object] = json.loads(kubectl.run("auth", "whoami", "-o", "json"))["status"]["userInfo"]
    return info


def test_a_pods_token_names_its_node_and_dies_with_the_pod(api: ApiServer) -> None:
    node = add_node(api, "w1", address="10.1.1.1")
    agent = Kubectl(api.token_kubeconfig(node_token(api, "w1")))
    info = user(agent)
    assert info["username"] == f"system:serviceaccount:{SYSTEM}:{AGENT}"
    extra = info["extra"]
    assert isinstance(extra, dict)
    assert extra["authentication.kubernetes.io/node-name"] == ["w1"]
    assert extra["authentication.kubernetes.io/node-uid"] == [node["metadata"]["uid"]]
    # Not the one that was used: the server believes a token that it knows for ten seconds more.
    other = Kubectl(api.token_kubeconfig(node_token(api, "w1")))
    api.objects.delete("pods", f"{AGENT}-w1", SYSTEM)
    until(lambda: not is_known(other), "the token is good no more", 60, 0.5)


def is_known(kubectl: Kubectl) -> bool:
    try:
        user(kubectl)
    except KubectlError as error:
        if "Unauthorized" not in str(error):
            raise
        return False
    return True


def test_a_token_without_a_pod_names_no_node(api: ApiServer, kubectl: Kubectl) -> None:
    kubectl.run("create", "serviceaccount", "someone", "-n", SYSTEM)
    extra = user(Kubectl(api.token_kubeconfig(api.token(SYSTEM, "someone"))))["extra"]
    assert isinstance(extra, dict)
    assert "authentication.kubernetes.io/node-name" not in extra


def test_a_node_is_as_a_healthy_machine(api: ApiServer, kubectl: Kubectl) -> None:
    node = add_node(api, "w1", address="10.1.1.1", labels={"zone": "a"})
    assert "taints" not in node["spec"]
    assert node["status"]["addresses"] == [{"type": "InternalIP", "address": "10.1.1.1"}]
    assert node["metadata"]["labels"]["zone"] == "a"
    set_node_condition(api, "w1", "NetworkUnavailable", "True")
    set_node_condition(api, "w1", "Ready", "Unknown")
    conditions = kubectl.get("node", "w1")["status"]["conditions"]
    assert {each["type"]: each["status"] for each in conditions} == {"NetworkUnavailable": "True", "Ready": "Unknown"}


def test_what_the_test_before_made_is_gone(kubectl: Kubectl) -> None:
    assert kubectl.list("nodes") == []
    assert kubectl.list("pods", SYSTEM) == []
    assert kubectl.find("namespace", SYSTEM) is not None
