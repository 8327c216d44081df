"""Where the API server is and who we are: a kubeconfig file, or the Pod's service account.

Both are read by the ``kubernetes`` package, so that every way of proving who one is that kubectl knows works here too:
certificates, tokens, token files, programs (``exec``), OpenID Connect.
"""

import os
from pathlib import Path
from typing import Final

import kopf
from kubernetes import config as kubernetes_config
from kubernetes.client import Configuration
from kubernetes.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from vipa.errors import ConfigError

Connection = kopf.ConnectionInfo
"""Server, certificates and token; makes TLS contexts and headers for aiohttp."""

_TOKEN: Final = "BearerToken"
"""Where the package keeps "bearer TOKEN" or "Basic …" (since its version 37)."""


def login(kubeconfig: Path | None) -> kopf.ConnectionInfo:
    """Read anew at each call: the kubelet replaces tokens before they expire, and programs give short-lived ones.

    Raises ConfigError."""
    configuration = Configuration()
    if kubeconfig is not None:
        _of_kubeconfig(kubeconfig, configuration)
    else:
        _in_cluster(configuration)
    scheme, _, token = str(configuration.api_key.get(_TOKEN) or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme.capitalize() or None,
        token=token.strip() or None,
    )


def _in_cluster(configuration: Configuration) -> None:
    if not os.environ.get(SERVICE_HOST_ENV_NAME):
        raise ConfigError(f"not in a Pod ({SERVICE_HOST_ENV_NAME} is not set): give --kubeconfig FILE")
    try:
        loader = InClusterConfigLoader(token_filename=SERVICE_TOKEN_FILENAME, cert_filename=SERVICE_CERT_FILENAME)
        loader.load_and_set(configuration)
    except (OSError, kubernetes_config.ConfigException) as error:
        raise ConfigError(f"cannot use the Pod's service account: {error}") from error


def _of_kubeconfig(path: Path, configuration: Configuration) -> None:
    if not path.is_file():
        raise ConfigError(f"--kubeconfig: there is no file {path}")
    try:
        kubernetes_config.load_kube_config(
            str(path), client_configuration=configuration, persist_config=False, temp_file_path=None
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, kubernetes_config.ConfigException) as error:
        raise ConfigError(f"--kubeconfig: {path} cannot be used: {error}") from error
