"""Keys and certificates of one test API server, made by openssl: a CA, the server's, clients', and the token key."""

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError

# A test run is over long before; a folder that is kept for looking at later shall still start.
_DAYS: Final = "30"
_TIMEOUT_S: Final = 60.0
# Nothing of the machine's own configuration: its x509_extensions would make every certificate a CA.
_CONFIG: Final = "[req]\ndistinguished_name = dn\n[dn]\n"
# What strict clients ask for (RFC 5280 sections 4.2.1.1 to 4.2.1.9; Python 3.13 checks them).
_CA_EXTENSIONS: Final = (
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier=hash",
)
_LEAF_EXTENSIONS: Final = (
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
)


class Pki:
    """All below ``folder``; what is there already from an earlier start is kept."""

    def __init__(self, folder: Path, server_names: Sequence[str]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._config = folder / "openssl.cnf"
        self.ca = folder / "ca.crt"
        self.token_key = folder / "token.key"
        self.token_public_key = folder / "token.pub"
        if not self.token_public_key.exists():
            self._config.write_text(_CONFIG)
            self._certificate("ca", "/CN=vipa-test-ca", _CA_EXTENSIONS, signed=False)
            key = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
            self._openssl("genpkey", *key, "-out", str(self.token_key))
            self._openssl("pkey", "-in", str(self.token_key), "-pubout", "-out", str(self.token_public_key))
        self.server_certificate, self.server_key = self._server(server_names)

    def client(self, user: str, groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """Certificate and key by which the API server knows ``user`` as a member of ``groups``."""
        subject = "".join(f"/O={_escaped(group)}" for group in groups) + f"/CN={_escaped(user)}"
        # Names of users hold what names of files must not.
        name = f"client-{hashlib.sha256(subject.encode()).hexdigest()[:12]}"
        return self._leaf(name, subject, "extendedKeyUsage=clientAuth")

    def _server(self, names: Sequence[str]) -> tuple[Path, Path]:
        alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
        usage = "extendedKeyUsage=serverAuth"
        return self._leaf("server", "/CN=kube-apiserver", usage, f"subjectAltName={alternatives}")

    def _leaf(self, name: str, subject: str, *extensions: str) -> tuple[Path, Path]:
        certificate, key = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        if not certificate.exists():
            self._certificate(name, subject, (*_LEAF_EXTENSIONS, *extensions), signed=True)
        return certificate, key

    def _certificate(self, name: str, subject: str, extensions: Sequence[str], *, signed: bool) -> None:
        issuer = ["-CA", str(self.ca), "-CAkey", str(self._folder / "ca.key")] if signed else []
        self._openssl(
            *("req", "-x509", "-config", str(self._config), "-days", _DAYS, "-subj", subject, *issuer),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *(word for extension in extensions for word in ("-addext", extension)),
            *("-keyout", str(self._folder / f"{name}.key"), "-out", str(self._folder / f"{name}.crt")),
        )

    def _openssl(self, *arguments: str) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            raise LabError("openssl is missing: 'apt install openssl' (once, as root)")
        argv = [openssl, *arguments]
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise LabError(f"openssl {arguments[0]} failed (version 3 is needed): {done.stderr.strip()}")


def _escaped(value: str) -> str:
    """As ``openssl req -subj`` reads a value: / begins the next part, + joins two."""
    return "".join(f"\\{each}" if each in "\\/+" else each for each in value)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
