"""The management network: a lab machine reaches the API server by it, and loses it in every way there is."""

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from vipa_lab.errors import LabError
from vipa_lab.host import Host
from vipa_lab.kube.accounts import SYSTEM, add_node, node_token, write_service_account
from vipa_lab.kube.apiserver import MANAGEMENT_ADDRESS, ApiServer
from vipa_lab.kube.binaries import find
from vipa_lab.kube.objects import Objects
from vipa_lab.kube.relay import Relay
from vipa_lab.lab import Lab
from vipa_lab.process import Process

# Speaks to what a Pod finds: the environment and the files in /var/run.
IN_POD = """
import json, os, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
request = urllib.request.Request(
    url + "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    json.dumps(body).encode(),
    {"Authorization": "Bearer " + open(folder + "/token").read(), "Content-Type": "application/json"},
)
context = ssl.create_default_context(cafile=folder + "/ca.crt")
print(json.load(urllib.request.urlopen(request, context=context, timeout=30))["status"]["userInfo"]["username"])
"""


@pytest.fixture
def node(lab: Lab) -> Host:
    return lab.add_node("w1")


@pytest.fixture
def relay(node: Host, api: ApiServer) -> Iterator[Relay]:
    with Relay(node, api) as made:
        yield made


def question(api: ApiServer, relay: Relay) -> list[str]:
    """A command for inside the machine, as admin."""
    config = api.kubeconfig("admin", ["system:masters"], server=relay.url)
    return [str(find("kubectl")), "--kubeconfig", str(config), "get", "--raw", "/readyz"]


def ask(host: Host, api: ApiServer, relay: Relay) -> str:
    return host.run(question(api, relay), timeout_s=60)


def watch(host: Host, api: ApiServer, relay: Relay) -> Process:
    """Prints the name of each ConfigMap in vipa's namespace as it comes, in one connection."""
    config = api.kubeconfig("admin", ["system:masters"], server=relay.url)
    argv = [str(find("kubectl")), "--kubeconfig", str(config), "get", "configmaps", "-n", SYSTEM, "-w", "-o", "name"]
    return host.start(argv, "watch")


@pytest.fixture
def announce(objects: Objects) -> Callable[[str], object]:
    """Makes a ConfigMap."""
    return lambda name: objects.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": SYSTEM}}
    )


def test_a_machine_without_a_network_reaches_the_api_by_it(node: Host, api: ApiServer, relay: Relay) -> None:
    assert ask(node, api, relay) == "ok"
    with Relay(node, api, "::1") as by_ipv6:
        assert by_ipv6.url == "https://[::1]:6443"
        assert ask(node, api, by_ipv6) == "ok"


def test_a_pods_files_and_environment_are_enough(node: Host, api: ApiServer, relay: Relay) -> None:
    add_node(api, "w1")
    folder = node.run_dir / "secrets/kubernetes.io/serviceaccount"
    write_service_account(folder, node_token(api, "w1"), api.ca_file)
    env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    process = node.start([sys.executable, "-c", IN_POD], "pod", env=env)
    assert process.wait(60) == 0, process.last_words()
    assert process.output() == f"system:serviceaccount:{SYSTEM}:vipa-agent\n"


def test_paused_connections_say_nothing_and_lose_nothing(
    node: Host, api: ApiServer, relay: Relay, announce: Callable[[str], object]
) -> None:
    announce("first")
    process = watch(node, api, relay)
    process.wait_output("first", 60)
    relay.pause()
    announce("second")
    with pytest.raises(LabError, match="ended with"):
        node.run(["timeout", "2", *question(api, relay)], timeout_s=60)
    time.sleep(0.5)
    assert process.alive
    assert "second" not in process.output()
    relay.resume()
    process.wait_output("second", 60)
    assert ask(node, api, relay) == "ok"


def test_cut_connections_are_reset_and_new_ones_refused(
    node: Host, api: ApiServer, relay: Relay, announce: Callable[[str], object]
) -> None:
    announce("first")
    process = watch(node, api, relay)
    process.wait_output("first", 60)
    assert relay.connections >= 1
    relay.cut()
    assert relay.connections == 0
    process.wait(60)
    with pytest.raises(LabError, match="refused"):
        ask(node, api, relay)
    relay.cut()
    relay.resume()
    assert ask(node, api, relay) == "ok"


def test_it_comes_back_with_a_machine_and_with_the_server(lab: Lab, frail_api: ApiServer) -> None:
    api, node = frail_api, lab.add_node("w1")
    with Relay(node, api) as relay:
        api.stop()
        with pytest.raises(LabError, match="ended with 1"):
            ask(node, api, relay)
        api.start()
        assert ask(node, api, relay) == "ok"
        node.power_off()
        node.boot()
        relay.start()
        assert ask(node, api, relay) == "ok"
    with pytest.raises(LabError, match="is not running"):
        relay.pause()


def test_a_management_lan_has_the_faults_of_a_switch(lab: Lab, api: ApiServer) -> None:
    switch = lab.add_switch("mgmt")
    station, node = lab.add_station("api"), lab.add_node("w1")
    station.add_nic(switch, f"{MANAGEMENT_ADDRESS}/24")
    nic = node.add_nic(switch, "10.9.0.11/24")
    lab.settle()
    with Relay(station, api, MANAGEMENT_ADDRESS) as relay:
        assert ask(node, api, relay) == "ok"
        nic.port.block()
        with pytest.raises(LabError, match="ended with 124"):
            node.run(["timeout", "2", *question(api, relay)], timeout_s=60)
        nic.port.unblock()
        assert ask(node, api, relay) == "ok"
