"""Installation of vipa as docs/install.md says it, with Helm."""

from typing import Final

import yaml

from vipa_lab.errors import LabError
from vipa_lab.kind.places import NAMESPACE, NODES
from vipa_lab.kube.helm import CHART, Helm
from vipa_lab.kube.kubectl import Kubectl

# Three nodes on two cores; half a minute on idle ones.
_ROLLOUT_S: Final = 300.0


def image() -> str:
    """The project's image as the chart's values have it by themselves: "vipa:0.1.0"."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    return f"{values['image']['repository']}:{values['image']['tag'] or chart['appVersion']}"


def install(kubectl: Kubectl, helm: Helm) -> None:
    """Namespace, label, chart; returns when every agent and operator is ready."""
    kubectl.run("create", "namespace", NAMESPACE)
    kubectl.run("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=privileged")
    helm.run("upgrade", "--install", "vipa", str(CHART), f"--namespace={NAMESPACE}")
    wait_ready(kubectl)


def wait_ready(kubectl: Kubectl) -> None:
    """Until the last rollout of agents and operators is over; LabError with what the pods say when it is not."""
    limit = f"--timeout={_ROLLOUT_S:g}s"
    for what in ("daemonset/vipa-agent", "deployment/vipa-operator"):
        try:
            kubectl.run("-n", NAMESPACE, "rollout", "status", what, limit, timeout_s=_ROLLOUT_S + 30)
        except LabError as error:
            pods = kubectl.run("-n", NAMESPACE, "get", "pods", "-o", "wide")
            events = kubectl.run("-n", NAMESPACE, "get", "events", "--sort-by=.lastTimestamp")
            last = "\n".join(events.splitlines()[-12:])
            logs = kubectl.run("-n", NAMESPACE, "logs", "-l", "app.kubernetes.io/part-of=vipa", "--prefix", "--tail=4")
            raise LabError(f"{what} is not ready: {error}\n{pods}\n{last}\n{logs}") from None
    agents = kubectl.get("daemonset", "vipa-agent", NAMESPACE)["status"]["numberReady"]
    if agents != len(NODES):
        raise LabError(f"{agents} agents are ready, but there are {len(NODES)} nodes: {', '.join(NODES)}")
