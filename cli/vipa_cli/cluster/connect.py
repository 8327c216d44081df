"""A connection to the API server: TLS by kubeconfig's rules, straight or through an HTTP proxy."""

import os
import socket
import ssl
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

from vipa_cli.cluster.errors import ClusterError
from vipa_cli.cluster.kubeconfig import Access


class _Named(HTTPSConnection):
    """TLS whose certificate is to bear another name than the server's (kubeconfig: tls-server-name)."""

    server_name = ""

    def connect(self) -> None:
        HTTPConnection.connect(self)
        context: ssl.SSLContext = self._context  # type: ignore[attr-defined]
        self.sock = context.wrap_socket(self.sock, server_hostname=self.server_name)


def connect(access: Access, timeout_s: float) -> HTTPConnection:
    """An open connection. OSError when there is none to be had, ClusterError when it cannot be as it is asked for."""
    target = urlsplit(access.server)
    host, secure = target.hostname or "", target.scheme == "https"
    port = target.port or (443 if secure else 80)
    proxy = access.proxy or _environment_proxy(target.scheme, host)
    via = urlsplit(proxy)
    if proxy and via.scheme not in ("http", ""):
        raise ClusterError(
            f"proxy {proxy} cannot be used, only http:// ones; reach the server in another way, such as kubectl proxy"
        )
    at = (via.hostname or "", via.port or 80) if proxy else (host, port)
    if not secure:
        connection = HTTPConnection(*at, timeout=timeout_s)
    else:
        named = _Named(*at, timeout=timeout_s, context=_context(access))
        named.server_name = access.server_name or host
        connection = named
    if proxy:
        connection.set_tunnel(host, port)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _environment_proxy(scheme: str, host: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
    if not any(os.environ.get(name) for name in names) or host in ("localhost", "127.0.0.1", "::1"):
        return ""
    from urllib.request import getproxies, proxy_bypass

    return "" if proxy_bypass(host) else getproxies().get(scheme, "")


def _context(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.ca or None)
        if not access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.certificate:
            _load_certificate(context, access)
    except ssl.SSLError as error:
        raise ClusterError(f"{access.source}: certificates or key cannot be read: {error.reason or error}") from None
    return context


def _load_certificate(context: ssl.SSLContext, access: Access) -> None:
    """OpenSSL reads certificate and key from a file only; this one lives as long as it is read, for its owner alone."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{access.certificate}\n{access.key}")
        file.flush()
        context.load_cert_chain(file.name)
