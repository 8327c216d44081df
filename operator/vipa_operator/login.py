"""Where the API server is and who we are: a kubeconfig file, or the Pod's service account."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import kopf

from vipa.errors import ConfigError

Connection = kopf.ConnectionInfo
"""Server, certificates and token; makes TLS contexts and headers for aiohttp."""

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def login(kubeconfig: Path | None, environment: Mapping[str, str] = os.environ) -> kopf.ConnectionInfo:
    """Read anew at each call: the kubelet replaces tokens before they expire. Raises ConfigError."""
    return _of_kubeconfig(kubeconfig) if kubeconfig is not None else _in_cluster(environment, SERVICE_ACCOUNT)


def _in_cluster(environment: Mapping[str, str], account: Path) -> kopf.ConnectionInfo:
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError("not in a Pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig FILE")
    try:
        token = (account / "token").read_text().strip()
    except OSError as error:
        raise ConfigError(f"cannot read the service account's token: {error.strerror}: {error.filename}") from error
    return kopf.ConnectionInfo(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        ca_path=str(account / "ca.crt"),
        token=token,
    )


def _of_kubeconfig(path: Path) -> kopf.ConnectionInfo:
    if not path.is_file():
        raise ConfigError(f"--kubeconfig: there is no file {path}")
    # kopf reads the file that this variable names, as every program for Kubernetes does.
    os.environ["KUBECONFIG"] = str(path)
    try:
        info = kopf.login_with_kubeconfig(settings=kopf.OperatorSettings())
    except (OSError, KeyError, TypeError, ValueError, AttributeError, kopf.LoginError) as error:
        raise ConfigError(f"--kubeconfig: {path} cannot be used: {error}") from error
    if info is None:
        raise ConfigError(f"--kubeconfig: {path} names no cluster and user in its current context")
    return info
