"""Where the API server is and who we are there: from the pod's service account, or from a kubeconfig file.

Only *where* things stand is decided here. Tokens, certificates and CAs are read when they are used, again and again:
kubelets rotate projected tokens and CA bundles under a running agent.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from vipa.errors import ConfigError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every pod has its token and the cluster's CA (Kubernetes, "Accessing the API from a Pod")."""

Material = Path | bytes
"""A file to read when needed, or its content."""


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """``server`` is a URL without trailing slash. Without ``ca`` the system's CAs count."""

    server: str
    ca: Material | None = None
    token: Material | None = None
    certificate: Material | None = None
    key: Material | None = None
    verify: bool = True
    server_name: str = ""


def in_cluster(environment: Mapping[str, str] = os.environ, account: Path = SERVICE_ACCOUNT) -> ApiConfig:
    """The pod's own service account. Raises ConfigError outside of a cluster."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (account / "token").is_file():
        missing = f"there is no {account}/token" if host else "KUBERNETES_SERVICE_HOST is not set"
        raise ConfigError(
            f"--api: no pod of a cluster with a service account: {missing}; elsewhere give --kubeconfig F"
        )
    return ApiConfig(f"https://{f'[{host}]' if ':' in host else host}:{port}", account / "ca.crt", account / "token")


def from_kubeconfig(path: Path) -> ApiConfig:
    """The current context of a kubeconfig file. Raises ConfigError that says what is missing."""
    try:
        document = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"--kubeconfig: cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--kubeconfig: {path} is no YAML: {' '.join(str(error).split())}") from error
    return _Reader(path, document).config()


class _Reader:
    def __init__(self, path: Path, document: object) -> None:
        self._path = path
        if not isinstance(document, dict):
            raise self._error("has no clusters, users and contexts; give the file that kubectl uses")
        self._document: dict[str, Any] = document

    def config(self) -> ApiConfig:
        wanted = self._document.get("current-context")
        if not isinstance(wanted, str) or not wanted:
            raise self._error("has no current-context; set one: kubectl config use-context NAME")
        context = self._named("contexts", "context", wanted)
        cluster = self._named("clusters", "cluster", context.get("cluster"))
        user = self._named("users", "user", context.get("user")) if context.get("user") else {}
        server = cluster.get("server")
        if not isinstance(server, str) or not server.startswith(("https://", "http://")):
            raise self._error(f"its cluster has no server such as https://10.1.1.1:6443, but {server!r}")
        for unknown in ("exec", "auth-provider", "username"):
            if unknown in user:
                raise self._error(
                    f"its user logs in by {unknown}; an agent needs a token, tokenFile or client-certificate"
                )
        token = user.get("token")
        return ApiConfig(
            server=server.rstrip("/"),
            ca=self._material(cluster, "certificate-authority"),
            token=token.encode() if isinstance(token, str) and token else self._file(user, "tokenFile"),
            certificate=self._material(user, "client-certificate"),
            key=self._material(user, "client-key"),
            verify=cluster.get("insecure-skip-tls-verify") is not True,
            server_name=str(cluster.get("tls-server-name") or ""),
        )

    def _named(self, group: str, inner: str, name: object) -> dict[str, Any]:
        entries = self._document.get(group)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("name") == name:
                found = entry.get(inner)
                return found if isinstance(found, dict) else {}
        raise self._error(f"names the {inner} {name!r}, but has none of that name under {group}")

    def _material(self, entry: dict[str, Any], field: str) -> Material | None:
        data = entry.get(f"{field}-data")
        if data:
            try:
                return base64.b64decode(str(data), validate=True)
            except binascii.Error as error:
                raise self._error(f"its {field}-data is not base64") from error
        return self._file(entry, field)

    def _file(self, entry: dict[str, Any], field: str) -> Path | None:
        text = entry.get(field)
        # Relative to the file itself, as kubectl takes them.
        return self._path.absolute().parent / text if isinstance(text, str) and text else None

    def _error(self, what: str) -> ConfigError:
        return ConfigError(f"--kubeconfig: {self._path} {what}")
