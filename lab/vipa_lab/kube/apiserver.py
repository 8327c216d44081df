"""An API server of one's own: etcd and kube-apiserver on loopback, ready in about four seconds from an empty folder.

Real in all that vipa's programs can see: TLS, client certificates, RBAC and Node authorization, service account tokens
bound to Pods, admission policies, server-side apply. There is no kube-controller-manager, no scheduler and no kubelet:
what these would make, :mod:`vipa_lab.kube.accounts` makes by hand. Nothing is collected by ownerReference.
"""

import hashlib
import http.client
import random
import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kube.binaries import find
from vipa_lab.kube.daemon import Daemon
from vipa_lab.kube.kubeconfig import certificate_user, token_user, write_kubeconfig
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.kube.objects import Objects, path_of
from vipa_lab.kube.pki import Pki
from vipa_lab.kube.rest import Rest
from vipa_lab.kube.started import Started

MANAGEMENT_ADDRESS: Final = "10.9.0.1"
"""The certificate is good for this one too: the API server's on a lab's management network."""

# The one group that no role limits.
_MASTERS: Final = "system:masters"
_NAMES: Final = ("127.0.0.1", "::1", MANAGEMENT_ADDRESS, "localhost", "kubernetes.default.svc")
# Below the ports a kernel gives out by itself (ip_local_port_range, from 32768), so that a server that comes back finds
# its own still free.
_PORTS: Final = range(20000, 32000)
_PORT_ATTEMPTS: Final = 5
_PORT_TAKEN: Final = "address already in use"
# 4 s on a quiet machine; this one may be doing anything else.
_READY_S: Final = 180.0
_POLL_S: Final = 0.05
_REQUEST_S: Final = 10.0


class ApiServer(Started):
    """Everything is below ``folder``, data included. ``flags`` are more of kube-apiserver's ("--v=4")."""

    def __init__(self, folder: Path, *flags: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.absolute()  # the programs run in it
        self._flags = flags
        self._pki = Pki(self.folder / "pki", _NAMES)
        self._ports = (0, 0, 0)
        self._etcd: Daemon | None = None
        self._server: Daemon | None = None
        self._rest: Rest | None = None

    # --- running

    def start(self) -> None:
        """Start and wait until it is ready; LabError with the logs' ends when it does not get there."""
        if self.running:
            raise LabError(f"the API server at {self.url} is running already")
        if self.port:
            self._start()
            return
        for attempt in range(_PORT_ATTEMPTS):
            self._ports = _free_ports()
            try:
                self._start()
            except LabError as error:
                # Somebody else took a port between the look and the start.
                if _PORT_TAKEN not in str(error) or attempt == _PORT_ATTEMPTS - 1:
                    raise
            else:
                return

    def stop(self) -> None:
        """Kill both at once, as a power cut does. Data and ports stay for the next start. Safe to repeat."""
        rest, self._rest = self._rest, None
        if rest is not None:
            rest.close()
        for process in (self._server, self._etcd):
            if process is not None:
                process.kill()
        self._server = self._etcd = None

    def restart(self) -> None:
        """Stop and start, with the same data on the same port. The new server's cache begins now, so a watch from an
        older resourceVersion gets 410 Gone if anything has changed since."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Connections stay, and nothing is answered any more."""
        self._running_server().freeze()

    def thaw(self) -> None:
        """Inverse of :meth:`freeze`."""
        self._running_server().thaw()

    @property
    def running(self) -> bool:
        """False before :meth:`start`, after :meth:`stop`, and when it ended by itself."""
        return self._server is not None and self._server.alive

    def logs(self, characters: int = 2000) -> str:
        """The ends of what both have said."""
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{file.stem}:\n{file.read_text(errors='replace')[-characters:]}" for file in files)

    # --- reaching it

    @property
    def port(self) -> int:
        """0 before the first start."""
        return self._ports[0]

    @property
    def url(self) -> str:
        """Where it listens: the loopback of the machine, outside every lab namespace."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """Who signed its certificate."""
        return self._pki.ca

    @property
    def admin(self) -> Path:
        """A kubeconfig that may do everything (group system:masters)."""
        return self.kubeconfig("admin", [_MASTERS])

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as :attr:`admin`."""
        return Kubectl(self.admin)

    @property
    def rest(self) -> Rest:
        """Plain requests as admin: for many objects, and where kubectl is too slow."""
        if self._rest is None:
            self._rest = Rest(self.port, self._pki.ca, *self._pki.client("admin", [_MASTERS]))
        return self._rest

    @property
    def objects(self) -> Objects:
        """What kubectl is asked most often, by :attr:`rest`."""
        return Objects(self.rest)

    def kubeconfig(self, user: str, groups: Sequence[str] = (), *, server: str | None = None) -> Path:
        """A kubeconfig with a client certificate for ``user``; ``server`` when it is reached by a relay."""
        certificate, key = self._pki.client(user, groups)
        return self._kubeconfig(certificate.stem, certificate_user(certificate, key), server)

    def token(self, namespace: str, service_account: str, pod: str | None = None, *, duration_s: int = 3600) -> str:
        """A token of a service account, for 600 s at least. Bound to a Pod it is worth as much as the Pod lives, and
        names the Pod's node."""
        spec: dict[str, object] = {"expirationSeconds": duration_s}
        if pod is not None:
            uid = self.objects.get("pods", pod, namespace)["metadata"]["uid"]
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid}
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        status, answer = self.rest.ask("POST", f"{path_of('serviceaccounts', namespace, service_account)}/token", asked)
        if status != http.client.CREATED:
            raise LabError(f"no token for {service_account} in {namespace}: {status} {answer}")
        token: str = answer["status"]["token"]
        return token

    def token_kubeconfig(self, token: str, *, server: str | None = None) -> Path:
        """A kubeconfig with a bearer token; one file for each token."""
        name = f"token-{hashlib.sha256(token.encode()).hexdigest()[:12]}"
        return self._kubeconfig(name, token_user(token), server)

    # --- inside

    def _start(self) -> None:
        try:
            self._etcd = Daemon("etcd", self._etcd_argv(), self.folder)
            self._wait(self._etcd, self._etcd_answers)
            self._server = Daemon("kube-apiserver", self._server_argv(), self.folder)
            self._wait(self._server, self._server_is_ready)
        except BaseException:
            self.stop()
            raise

    def _wait(self, process: Daemon, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_S
        while not is_ready():
            if not process.alive:
                raise LabError(f"{process.log.stem} did not start; {process.last_words()}")
            if time.monotonic() > deadline:
                raise LabError(f"{process.log.stem} is not ready after {_READY_S:g} s; {process.last_words()}")
            time.sleep(_POLL_S)

    def _etcd_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[1], timeout=_REQUEST_S)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _server_is_ready(self) -> bool:
        try:
            return self.rest.ask("GET", "/readyz")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _running_server(self) -> Daemon:
        if self._server is None:
            raise LabError("the API server is not running: start() it first")
        return self._server

    def _kubeconfig(self, name: str, user: dict[str, str], server: str | None) -> Path:
        if not self.port:
            raise LabError("the API server has no address before its first start()")
        address = server or self.url
        place = re.sub(r"[^0-9a-z.]+", "-", address.rpartition("/")[2])
        return write_kubeconfig(self.folder / f"{name}-{place}.kubeconfig", address, self._pki.ca, user)

    def _etcd_argv(self) -> list[str]:
        clients, peers = (f"http://127.0.0.1:{port}" for port in self._ports[1:])
        return [
            str(find("etcd")),
            *("--name=test", f"--data-dir={self.folder / 'etcd'}", "--log-level=warn"),
            # A crash of the machine would lose data; a killed etcd does not, and syncing is most of its time.
            "--unsafe-no-fsync",
            *(f"--listen-client-urls={clients}", f"--advertise-client-urls={clients}"),
            *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
            f"--initial-cluster=test={peers}",
        ]

    def _server_argv(self) -> list[str]:
        pki = self._pki
        return [
            str(find("kube-apiserver")),
            f"--etcd-servers=http://127.0.0.1:{self._ports[1]}",
            *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={self.port}"),
            # It would otherwise complain for ever that a loopback address is no Service endpoint.
            *("--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/24"),
            *("--authorization-mode=Node,RBAC", "--anonymous-auth=false", "--allow-privileged=true"),
            f"--client-ca-file={pki.ca}",
            *(f"--tls-cert-file={pki.server_certificate}", f"--tls-private-key-file={pki.server_key}"),
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki.token_public_key}",
            f"--service-account-signing-key-file={pki.token_key}",
            *self._flags,
        ]


def _free_ports() -> tuple[int, int, int]:
    found: list[int] = []
    while len(found) < 3:
        port = random.choice(_PORTS)
        with socket.socket() as attempt:
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found[0], found[1], found[2]
