"""The service of the tests on every node: the lab's echo server, in pods that use the host's network.

They run the project's own image, which has all that the server imports but the server itself; that comes as a
ConfigMap. A pod, and no process of this host in the node's network: it is frozen and killed with its node.
"""

import json
from pathlib import Path
from typing import Any, Final

from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.pacing import ECHO_PORT

NAMESPACE: Final = "default"
NAME: Final = "vipa-e2e-echo"

# What vipa_lab.echo_server imports of the lab.
_FILES: Final = ("__init__.py", "echo_server.py", "pacing.py", "results.py")
_FOLDER: Final = "/opt/e2e"
_ROLLOUT_S: Final = 180.0


def deploy_echo(kubectl: Kubectl, image: str) -> None:
    """Start the server on every node, or bring it up to date, and wait until it answers everywhere."""
    kubectl.apply("\n---\n".join(json.dumps(each) for each in _manifests(image)))
    wait = f"--timeout={_ROLLOUT_S:g}s"
    kubectl.run("rollout", "status", f"daemonset/{NAME}", "-n", NAMESPACE, wait, timeout_s=_ROLLOUT_S + 10)


def remove_echo(kubectl: Kubectl) -> None:
    """Inverse of :func:`deploy_echo`; its pods end soon after."""
    kubectl.run("delete", f"daemonset/{NAME}", f"configmap/{NAME}", "-n", NAMESPACE, "--ignore-not-found")


def _manifests(image: str) -> list[dict[str, Any]]:
    lab = Path(__file__).parents[1]
    labels = {"app.kubernetes.io/name": NAME}
    metadata = {"name": NAME, "namespace": NAMESPACE}
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "vipa_lab.echo_server", "--node=$(NODE_NAME)", f"--port={ECHO_PORT}"],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "PYTHONPATH", "value": f"{_FOLDER}:/opt/vipa"},
        ],
        "readinessProbe": {"tcpSocket": {"port": ECHO_PORT}},
        "volumeMounts": [{"name": "lab", "mountPath": f"{_FOLDER}/vipa_lab"}],
    }
    pod = {
        "hostNetwork": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
        "volumes": [{"name": "lab", "configMap": {"name": NAME}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {name: (lab / name).read_text() for name in _FILES},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]
