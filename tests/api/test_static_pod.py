"""deploy/static-pod: an API server, which gets to know it as a mirror pod, has nothing to say against it."""

import json
from pathlib import Path
from typing import Final

import yaml

from vipa_lab.kube.accounts import SYSTEM
from vipa_lab.kube.apiserver import ApiServer

POD: Final = Path(__file__).parents[2] / "deploy/static-pod/vipa-agent.yaml"


def test_the_static_pod_is_one(api: ApiServer) -> None:
    pod = yaml.safe_load(POD.read_text())
    pod["metadata"]["namespace"] = SYSTEM
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": SYSTEM}}
    api.kubectl.apply(json.dumps(account))
    said = api.kubectl.apply(json.dumps(pod), "--dry-run=server", "--validate=strict")
    assert said.strip() == "pod/vipa-agent created (server dry run)"
