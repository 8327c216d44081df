"""Who we are to the API server: token, token file, password, impersonation, or a program that knows (exec plugin)."""

import base64
import json
import os
from pathlib import Path
from typing import Any, Final

from vipa_cli.cluster.errors import ClusterError
from vipa_cli.cluster.kubeconfig import Access

EXEC_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def log_in(access: Access) -> tuple[Access, dict[str, str]]:
    """``access`` with the certificate a plugin may have given, and the HTTP headers that say who asks. ClusterError
    when the user of the kubeconfig cannot log in this way."""
    user = access.user or {}
    headers = {}
    if "auth-provider" in user:
        raise ClusterError(
            f"{access.source}: its user logs in by auth-provider, which Kubernetes removed in 1.26; use an exec plugin"
        )
    if token := _token(user, access.folder):
        headers["Authorization"] = f"Bearer {token}"
    elif user.get("username"):
        pair = f"{user['username']}:{user.get('password', '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    elif "exec" in user and not access.certificate:
        status = _run(user["exec"], access)
        if status.get("token"):
            headers["Authorization"] = f"Bearer {status['token']}"
        access = access._replace(
            certificate=status.get("clientCertificateData") or "",
            key=status.get("clientKeyData") or "",
        )
    if user.get("as"):
        headers["Impersonate-User"] = str(user["as"])
    return access, headers


def _token(user: dict[str, Any], folder: Path) -> str:
    # kubectl: the file counts when both are there, for it may be renewed.
    if name := user.get("tokenFile"):
        try:
            return (folder / str(name)).read_text().strip()
        except OSError as error:
            raise ClusterError(f"cannot read the token file {folder / str(name)}: {error.strerror}") from None
    return str(user.get("token") or "")


def _run(plugin: dict[str, Any], access: Access) -> dict[str, Any]:
    """The status of the ExecCredential that the plugin prints."""
    import subprocess

    version, command = plugin.get("apiVersion"), str(plugin.get("command") or "")
    if version not in EXEC_VERSIONS:
        raise ClusterError(f"{access.source}: exec apiVersion {version!r} is unknown; use {EXEC_VERSIONS[0]}")
    # A name with a slash is relative to the kubeconfig, one without is looked for in PATH (kubectl does so).
    program = str(access.folder / command) if "/" in command else command
    information = {"kind": "ExecCredential", "apiVersion": version, "spec": {"interactive": os.isatty(0)}}
    if plugin.get("provideClusterInfo"):
        information["spec"] = {"interactive": os.isatty(0), "cluster": _cluster(access)}
    environment = os.environ | {"KUBERNETES_EXEC_INFO": json.dumps(information)}
    environment |= {str(each["name"]): str(each["value"]) for each in plugin.get("env") or ()}
    try:
        done = subprocess.run(
            [program, *map(str, plugin.get("args") or ())], stdout=subprocess.PIPE, env=environment, check=False
        )
    except OSError as error:
        hint = f"; {plugin['installHint'].strip()}" if plugin.get("installHint") else ""
        raise ClusterError(
            f"cannot run {command!r}, which logs in for {access.source}: {error.strerror}{hint}"
        ) from None
    if done.returncode != 0:
        raise ClusterError(f"{command!r}, which logs in for {access.source}, ended with exit code {done.returncode}")
    try:
        status = json.loads(done.stdout)["status"]
        token, certificate = status.get("token"), status.get("clientCertificateData")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ClusterError(f"{command!r}, which logs in for {access.source}, printed no ExecCredential") from None
    if not token and not certificate:
        raise ClusterError(f"{command!r}, which logs in for {access.source}, gave neither token nor certificate")
    return dict(status)


def _cluster(access: Access) -> dict[str, Any]:
    said: dict[str, Any] = {"server": access.server, "insecure-skip-tls-verify": not access.verify}
    if access.ca:
        said["certificate-authority-data"] = base64.b64encode(access.ca.encode()).decode()
    if access.server_name:
        said["tls-server-name"] = access.server_name
    return said
