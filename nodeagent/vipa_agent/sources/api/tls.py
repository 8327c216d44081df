"""TLS towards the API server: whom to trust and what to show, read at each use, since both are rotated."""

import os
import ssl
from contextlib import ExitStack
from pathlib import Path

from vipa_agent.sources.api.config import ApiConfig, Material


def read(material: Material) -> bytes:
    """As it is now. Raises OSError."""
    return material if isinstance(material, bytes) else material.read_bytes()


def tls_context(config: ApiConfig) -> ssl.SSLContext | bool:
    """What to trust and to show, read now. Raises OSError."""
    if not config.server.startswith("https://"):
        return False
    ca = None if config.ca is None else read(config.ca).decode("ascii", "replace")
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        where = config.ca if isinstance(config.ca, Path) else "certificate-authority-data"
        raise OSError(f"the CA certificates in {where} cannot be read: {error}") from error
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if config.certificate is not None:
        with ExitStack() as passing:
            certificate, key = (_path(m, passing) for m in (config.certificate, config.key or config.certificate))
            context.load_cert_chain(certificate, key)
    return context


def _path(material: Material, passing: ExitStack) -> str:
    """OpenSSL reads certificates from files only: what came inline goes into one that is nowhere but in memory."""
    if not isinstance(material, bytes):
        return str(material)
    fd = os.memfd_create("vipa-certificate", os.MFD_CLOEXEC)
    passing.callback(os.close, fd)
    os.write(fd, material)
    return f"/proc/self/fd/{fd}"
