"""Every test here talks to a real kube-apiserver. One serves the whole session; tests that stop it share
another, ``frail_api``, and those that need one without vipa a third, ``bare_api``.

There is no kube-controller-manager: nothing is collected by ownerReference, and only what a test makes is there.
"""

import gc
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from vipa_lab.errors import LabError
from vipa_lab.kube.accounts import CLUSTER_WIDE, NAMESPACED, OURS, SYSTEM
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.binaries import find
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.kube.objects import Object, Objects, path_of
from vipa_lab.kube.operatorprocess import OperatorProcess
from vipa_lab.kube.played import populate
from vipa_lab.kube.story import Story
from vipa_lab.kube.types import delete_types
from vipa_lab.lab import Lab
from vipa_lab.privileges import ensure_privileges

Recorded = dict[str, list[Object]]
RECORDED: Final = Path(__file__).parents[1] / "recorded/cluster.json"
CRDS: Final = Path(__file__).parents[2] / "crds"
# What tests make and the next one must not find.
CLEANED: Final = (
    *((kind, "") for kind in ("virtualips", "preferredinterfacelists", "virtualippools", "virtualipnodes", "nodes")),
    *((kind, SYSTEM) for kind in ("pods", "serviceaccounts", "secrets", "events", "configmaps", "leases")),
    *((kind, "default") for kind in ("events", "configmaps")),
)
# A program that a test killed may have had a request under way.
GONE_S: Final = 30.0


def pytest_runtest_logfinish(nodeid: str) -> None:
    """A watch that died, and with it kopf's loop, leaves tasks whose error nobody asked for, and now and then a
    connection. Python tells that when it finds it: let it be here, where nothing of the test holds it any more (its log
    does until now, with tracebacks), and not in the middle of whatever comes next (CPython 3.11 may crash in ast.parse
    then, gh-106905)."""
    if "test_operator_watch" in nodeid:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()


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
def objects(api: ApiServer) -> Objects:
    """The session's API server, as admin, without kubectl."""
    return api.objects


@pytest.fixture(scope="session")
def bare(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """See ``bare_api``."""
    with ApiServer(tmp_path_factory.mktemp("bare")) as server:
        prepare(server, crds=False)
        yield server


@pytest.fixture
def bare_api(bare: ApiServer) -> Iterator[ApiServer]:
    """A third API server of the session, without vipa: tests install it there. Afterwards nothing of it is left, but
    perhaps its CRDs, which take long to go: see ``forget_crds``."""
    yield bare
    delete = ("delete", "--ignore-not-found", "--force", "--grace-period=0")
    for kinds in (CLUSTER_WIDE, NAMESPACED):
        bare.kubectl.run(*delete, kinds, "-l", OURS, "-A")
    bare.kubectl.run(*delete, "secrets", "-n", SYSTEM, "-l", "owner=helm")
    bare.kubectl.run(*delete, "secret", "vipa-heartbeat-key", "-n", SYSTEM)


@pytest.fixture
def forget_crds(bare_api: ApiServer) -> None:
    """Before the test: types that another test kept there are gone."""
    delete_types(bare_api.kubectl)


@pytest.fixture(scope="session")
def spare(machine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """See ``frail_api``."""
    with ApiServer(tmp_path_factory.mktemp("spare")) as server:
        prepare(server)
        yield server


@pytest.fixture
def frail_api(spare: ApiServer) -> Iterator[ApiServer]:
    """A second API server of the session, with vipa's CRDs. Tests may stop, freeze and restart it: for the next one it
    is started again and cleaned."""
    yield spare
    if spare.running:
        spare.thaw()
    else:
        spare.stop()
        spare.start()
    clean(spare)


@pytest.fixture
def operator(api: ApiServer, tmp_path: Path) -> Iterator[OperatorProcess]:
    """One that leads the session's API server, with the cluster of ``populate``."""
    with OperatorProcess(api.admin, tmp_path) as made:
        populate(api)
        yield made


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


@pytest.fixture
def recorded() -> Recorded:
    """The objects of a small cluster by kind, as they once were."""
    found: Recorded = json.loads(RECORDED.read_text())
    return found


@pytest.fixture
def story(api: ApiServer, recorded: Recorded) -> Story:
    """The recorded objects, with an operator whose lease was renewed just now."""
    return Story(api, recorded)


def prepare(server: ApiServer, *, crds: bool = True) -> None:
    """vipa's namespace, and its CRDs, established and served."""
    kubectl = server.kubectl
    kubectl.run("create", "namespace", SYSTEM)
    if crds:
        kubectl.run("apply", "--server-side", "-f", str(CRDS))
        kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        deadline = time.monotonic() + GONE_S
        while not all(server.rest.ask("GET", path_of(kind))[0] == 200 for kind, _ in CLEANED[:4]):
            assert time.monotonic() < deadline, "the CRDs are established, and not served"
            time.sleep(0.1)


def clean(server: ApiServer) -> None:
    """Delete what tests made, until there is nothing more. Kinds that this server does not have are not found, which is
    fine."""
    deadline = time.monotonic() + GONE_S
    while found := [each for kind, inside in CLEANED for each in deleted(server, kind, inside)]:
        assert time.monotonic() < deadline, f"a finalizer, or somebody who still runs, keeps {found}"


def deleted(server: ApiServer, kind: str, namespace: str) -> list[str]:
    """Delete a collection; gives what there was."""
    path = path_of(kind, namespace)
    status, answer = server.rest.ask("DELETE", f"{path}?gracePeriodSeconds=0")
    assert status in (200, 404), f"{path}: {answer}"
    return [f"{kind}/{each['metadata']['name']}" for each in answer["items"]] if status == 200 else []
