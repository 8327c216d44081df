"""Every test here talks to a real kube-apiserver. One serves the whole session; tests that stop it take their own.

There is no kube-controller-manager: nothing is collected by ownerReference, and only what a test makes is there.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from vipa_lab.errors import LabError
from vipa_lab.kube.accounts import SYSTEM
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.binaries import find
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.lab import Lab
from vipa_lab.privileges import ensure_privileges

CRDS: Final = Path(__file__).parents[2] / "crds"
# What tests make and the next one must not find.
VIPA: Final = "/apis/vipa.dev/v1alpha1"
CLEANED: Final = (
    *(f"{VIPA}/{kind}" for kind in ("virtualips", "preferredinterfacelists", "virtualippools", "virtualipnodes")),
    "/api/v1/nodes",
    *(f"/api/v1/namespaces/{SYSTEM}/{kind}" for kind in ("pods", "serviceaccounts", "secrets", "events")),
    f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases",
    "/api/v1/namespaces/default/events",
)

OwnApi = Callable[..., ApiServer]


@pytest.fixture(scope="session", autouse=True)
def machine() -> None:
    """Before the first thread: an ordinary user's namespaces, for tests with a lab. And the programs must be there."""
    try:
        ensure_privileges()
        for name in ("etcd", "kube-apiserver", "kubectl"):
            find(name)
    except LabError as error:
        pytest.exit(f"the API tests cannot run: {error}", returncode=1)


@pytest.fixture(scope="session")
def api(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The session's API server, with vipa's CRDs."""
    with ApiServer(tmp_path_factory.mktemp("api")) as server:
        prepare(server)
        yield server


@pytest.fixture
def kubectl(api: ApiServer) -> Kubectl:
    """The session's API server by kubectl, as admin."""
    return api.kubectl


@pytest.fixture
def own_api(machine: None, tmp_path: Path) -> Iterator[OwnApi]:
    """Makes API servers that are the test's alone: ``own_api("--v=4")``; ``crds=False`` for one without vipa's CRDs."""
    with ExitStack() as stack:
        made: list[ApiServer] = []

        def make(*flags: str, crds: bool = True) -> ApiServer:
            server = stack.enter_context(ApiServer(tmp_path / f"api-{len(made) + 1}", *flags))
            made.append(server)
            prepare(server, crds=crds)
            return server

        yield make


@pytest.fixture
def lab(machine: None) -> Iterator[Lab]:
    """An empty lab."""
    with Lab() as made:
        yield made


@pytest.fixture(autouse=True)
def leave_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Takes away what the test made on the session's API server."""
    yield
    if "api" in request.fixturenames:
        api: ApiServer = request.getfixturevalue("api")
        clean(api)


def prepare(server: ApiServer, *, crds: bool = True) -> None:
    """vipa's namespace, and its CRDs, established."""
    kubectl = server.kubectl
    kubectl.run("create", "namespace", SYSTEM)
    if crds and any(CRDS.glob("*.yaml")):
        kubectl.run("apply", "--server-side", "-f", str(CRDS))
        kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))


def clean(server: ApiServer) -> None:
    """Delete what tests made. Kinds that this server does not have are not found, which is fine."""
    rest = server.rest
    for path in CLEANED:
        status, answer = rest.ask("DELETE", f"{path}?gracePeriodSeconds=0")
        assert status in (200, 404), f"{path}: {answer}"
        left = rest.ask("GET", path)[1]["items"] if status == 200 else []
        assert not left, f"{path}: a finalizer keeps {[each['metadata']['name'] for each in left]}"
