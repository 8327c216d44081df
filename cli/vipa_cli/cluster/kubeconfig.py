"""Which cluster, and as whom: from kubeconfig files as kubectl reads them, or from a Pod's service account."""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from vipa_cli.cluster.errors import ClusterError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where every Pod has its token and the cluster's CA (Kubernetes, "Accessing the API from a Pod")."""

Json = dict[str, Any]


class Access(NamedTuple):
    """``source`` says for people where this comes from. ``ca``, ``certificate`` and ``key`` are PEM text, "" without;
    without ``ca`` the system's CAs count. ``user`` and ``cluster`` are what kubeconfig says of them; ``folder`` is
    where the user's relative file names start."""

    server: str
    source: str
    ca: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""
    certificate: str = ""
    key: str = ""
    user: Json | None = None
    folder: Path = Path()
    cluster: Json | None = None


def default_files(environment: Mapping[str, str]) -> list[Path]:
    """The kubeconfig files that are there without anybody naming one: $KUBECONFIG (several, joined by colons), else
    ~/.kube/config. Those that do not exist are left out, as kubectl does."""
    named = [Path(name) for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]
    home = environment.get("HOME", "")
    candidates = named or ([Path(home, ".kube", "config")] if home else [])
    return [path for path in candidates if path.is_file()]


def in_pod(environment: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> bool:
    """Whether this is a Pod with a service account."""
    return bool(environment.get("KUBERNETES_SERVICE_HOST")) and (account / "token").is_file()


def find_access(
    kubeconfig: Path | None = None,
    context: str = "",
    environment: Mapping[str, str] = os.environ,
    account: Path = SERVICE_ACCOUNT,
) -> Access:
    """The access of ``kubeconfig``, else of the default files, else of the Pod this runs in. ClusterError when there is
    none, or it cannot be read."""
    files = [kubeconfig] if kubeconfig is not None else default_files(environment)
    if files:
        return _Merged(files).access(context)
    if in_pod(environment, account):
        host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
        server = f"https://{f'[{host}]' if ':' in host else host}:{port}"
        user = {"tokenFile": str(account / "token")}
        return Access(server, "this Pod's service account", _text(account / "ca.crt"), user=user)
    named = environment.get("KUBECONFIG", "")
    looked = f"$KUBECONFIG names {named}, which does not exist" if named else "there is no ~/.kube/config"
    raise ClusterError(
        f"no cluster to talk to: {looked}; give --kubeconfig FILE, or --agent for the agent on this machine"
    )


class _Merged:
    """Several kubeconfig files as one: of what two say, the first counts."""

    def __init__(self, files: list[Path]) -> None:
        self._name = os.pathsep.join(str(path) for path in files)
        self._documents = [(path.absolute().parent, _document(path)) for path in files]

    def access(self, context: str) -> Access:
        wanted = context or next((d["current-context"] for _, d in self._documents if d.get("current-context")), "")
        if not wanted:
            raise self._error(
                "has no current-context; give --context NAME, or set one: kubectl config use-context NAME"
            )
        _, chosen = self._named("contexts", "context", wanted)
        near, cluster = self._named("clusters", "cluster", chosen.get("cluster"))
        folder, user = self._named("users", "user", chosen["user"]) if chosen.get("user") else (Path(), {})
        server = cluster.get("server")
        if not isinstance(server, str) or not server.startswith(("https://", "http://")):
            raise self._error(f"its cluster has no server such as https://10.1.1.1:6443, but {server!r}")
        return Access(
            server=server.rstrip("/"),
            source=f"context {wanted} of {self._name}",
            ca=self._pem(cluster, "certificate-authority", near),
            verify=cluster.get("insecure-skip-tls-verify") is not True,
            server_name=str(cluster.get("tls-server-name") or ""),
            proxy=str(cluster.get("proxy-url") or ""),
            certificate=self._pem(user, "client-certificate", folder),
            key=self._pem(user, "client-key", folder),
            user=user,
            folder=folder,
            cluster=cluster,
        )

    def _named(self, group: str, inner: str, name: object) -> tuple[Path, Json]:
        names = []
        for folder, document in self._documents:
            entries = document.get(group)
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, dict) and entry.get("name") == name:
                    found = entry.get(inner)
                    return folder, found if isinstance(found, dict) else {}
                names.append(str(entry.get("name")) if isinstance(entry, dict) else "?")
        raise self._error(f"has no {inner} {name!r}; it has: {', '.join(names) or 'none'}")

    def _pem(self, entry: Json, field: str, folder: Path) -> str:
        if data := entry.get(f"{field}-data"):
            try:
                return base64.b64decode(str(data), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise self._error(f"its {field}-data is not base64 of a PEM file") from None
        return _text(folder / str(entry[field])) if entry.get(field) else ""

    def _error(self, what: str) -> ClusterError:
        return ClusterError(f"kubeconfig {self._name}: {what}")


def _document(path: Path) -> Json:
    text = _text(path)
    try:
        # Some tools write JSON, and reading it costs no import.
        document = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
    except ValueError as error:
        raise ClusterError(f"kubeconfig {path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise ClusterError(f"{path} is no kubeconfig: it has no clusters, users and contexts")
    return document


def _yaml(text: str) -> object:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one of C is not in the zipapp
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
