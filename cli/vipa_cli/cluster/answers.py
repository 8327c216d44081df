"""What an API server's refusal or silence means, for people."""

import json
import socket
import ssl

from vipa_cli.cluster.errors import (
    ClusterError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    NoTypesError,
    UnauthorizedError,
)
from vipa_cli.cluster.kubeconfig import Access


def why_unreachable(access: Access, error: Exception, timeout_s: float) -> str:
    """Why there is no connection."""
    server = access.server
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {server} is not trusted: {error.verify_message}; see {access.source}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS with {server}: {error.reason or error}; see {access.source}"
    if isinstance(error, TimeoutError):
        return f"{server} does not answer within {timeout_s:g} s ({access.source}); is this the right network?"
    if isinstance(error, socket.gaierror):
        return f"the name of {server} is not known here ({access.source}): {error.strerror}"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{server} cannot be reached ({access.source}): {reason}; virtual IPs go on without it"


def error_of(access: Access, status: int, body: str, path: str) -> ClusterError:
    """What answer ``status`` with ``body`` to ``path`` means."""
    try:
        said = json.loads(body)
        message, named = str(said["message"]), bool((said.get("details") or {}).get("name"))
    except (ValueError, KeyError, TypeError, AttributeError):
        message, named = body.strip()[:200], False
    if status == 401:
        return UnauthorizedError(
            f"{access.server} does not know you (401): token or certificate of {access.source} are wrong or expired"
        )
    if status == 403:
        return ForbiddenError(f"not allowed: {message}; ask your administrator for it, see {access.source}")
    if status == 404 and named:  # the kind is known, the object is not
        return NotFoundError(message)
    if status == 404 and path.startswith("/apis/vipa.dev/"):
        return NoTypesError(
            f"{access.server} does not know vipa's resource types; is vipa installed there? kubectl apply -f crds/, or "
            "install the chart"
        )
    if status == 404:
        return NotFoundError(f"{access.server} has no {path}")
    if status == 410:
        return GoneError(message)
    return ClusterError(f"{access.server} answers {status} to {path}: {message}")
