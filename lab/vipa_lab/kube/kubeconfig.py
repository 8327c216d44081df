"""Kubeconfig files, complete in themselves: certificates and keys are inside, as kubeadm and kind write them."""

import base64
import json
import os
import tempfile
from pathlib import Path


def certificate_user(certificate: Path, key: Path) -> dict[str, str]:
    """Who comes with a client certificate."""
    return {"client-certificate-data": _inline(certificate), "client-key-data": _inline(key)}


def token_user(token: str) -> dict[str, str]:
    """Who comes with a bearer token."""
    return {"token": token}


def write_kubeconfig(path: Path, server: str, ca: Path, user: dict[str, str]) -> Path:
    """One cluster, one user, one context; readable by its owner only. JSON, which is YAML too.

    Whoever reads ``path`` meanwhile finds the old file or the new one, never half of it."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": _inline(ca)}}],
        "users": [{"name": "test", "user": user}],
    }
    # mkstemp's files are their owner's alone.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with open(handle, "w") as file:
        json.dump(config, file, indent=1)
    os.replace(name, path)
    return path


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
