"""Every test here runs on the kind cluster that is up; ``make kind-test`` makes one when there is none.

vipa is installed by its chart as docs/install.md has it, once; a test finds it installed, the virtual IP served by the
first of its list, and all spares well. What clients saw of each fault is kept and shown at the end.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from machine import commit, describe
from vipa_lab.errors import LabError
from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.echo import deploy_echo, remove_echo
from vipa_lab.kind.faults import Inject
from vipa_lab.kind.install import wait_ready
from vipa_lab.kind.measured import Measure, Measured, measured, outage_of
from vipa_lab.kind.outages import Outage, append, table
from vipa_lab.kind.places import NAMESPACE
from vipa_lab.kind.scene import PREFERRED, Scene
from vipa_lab.kube.helm import CHART

# Two replicas of the operator, an agent per node, on two cores.
INSTALL_S: Final = 300.0

Install = Callable[..., None]

outages_of_session: list[Outage] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--timing", default="Calm", help="timing profile of the virtual IP; figures are quoted at Default")


@pytest.fixture(scope="session")
def cluster() -> KindCluster:
    try:
        return KindCluster()
    except LabError as error:
        pytest.exit(f"the end-to-end tests cannot run: {error}", returncode=1)


@pytest.fixture(scope="session")
def install(cluster: KindCluster) -> Install:
    """Installs or upgrades vipa, with the values it has and more for ``--set``, and waits until it has rolled out."""

    def roll_out(*values: str) -> None:
        kubectl = cluster.kubectl
        if kubectl.find("namespace", NAMESPACE) is None:
            kubectl.run("create", "namespace", NAMESPACE)
        label = "pod-security.kubernetes.io/enforce=privileged"
        kubectl.run("label", "namespace", NAMESPACE, label, "--overwrite")
        repository, _, tag = cluster.image.rpartition(":")
        words = ["upgrade", "--install", "vipa", str(CHART), "--namespace", NAMESPACE]
        words += ["--reset-then-reuse-values"]
        for value in (f"image.repository={repository}", f"image.tag={tag}", *values):
            words += ["--set", value]
        cluster.helm.run(*words, timeout_s=INSTALL_S)
        wait_ready(kubectl)

    return roll_out


@pytest.fixture(scope="session")
def prepared(cluster: KindCluster, install: Install) -> Iterator[None]:
    """vipa as this checkout's chart has it, and the echo server on every node."""
    install()
    try:
        deploy_echo(cluster.kubectl, cluster.image)
        yield
    finally:
        remove_echo(cluster.kubectl)


@pytest.fixture
def scene(
    cluster: KindCluster,
    install: Install,
    prepared: None,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Scene]:
    """The scenario at its beginning; afterwards it is judged."""
    if cluster.kubectl.find("daemonset", "vipa-agent", NAMESPACE) is None:
        install()
    with Scene(cluster, tmp_path, request.config.getoption("--timing")) as made:
        made.apply()
        made.wait_serves(PREFERRED[0])
        made.wait_redundant()
        yield made
        made.judge()


@pytest.fixture
def inject(scene: Scene) -> Iterator[Inject]:
    """Healed before the scene is judged."""
    with ExitStack() as stack:

        def begin(fault: AbstractContextManager[None]) -> Callable[[], None]:
            own = stack.enter_context(ExitStack())
            own.enter_context(fault)
            return own.close

        yield begin


@pytest.fixture
def measure(scene: Scene) -> Measure:
    @contextmanager
    def begin(fault: str) -> Iterator[Measured]:
        with measured(scene) as seen:
            yield seen
        outage = outage_of(fault, scene, seen, describe(), commit())
        append(outage)
        outages_of_session.append(outage)

    return begin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = item.funcargs.get("cluster") if isinstance(item, pytest.Function) else None
    if report.failed and isinstance(cluster, KindCluster):
        report.sections.append(("the cluster", describe_cluster(cluster)))
    return report


def describe_cluster(cluster: KindCluster) -> str:
    """What one would ask for first after a failure; what cannot be had says why."""
    questions = (
        ("get", "nodes,virtualips,virtualipnodes", "-o", "wide"),
        ("get", "pods", "-A", "-o", "wide"),
        ("get", "events", "-n", "default", "--sort-by=.lastTimestamp"),
        ("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=vipa-agent", "--prefix", "--tail=40"),
        ("logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=vipa-operator", "--prefix", "--tail=20"),
    )
    said = []
    for words in questions:
        try:
            said.append(cluster.kubectl.run(*words))
        except LabError as error:
            said.append(str(error))
    return "\n".join(said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if outages_of_session:
        terminalreporter.section("what a client saw")
        terminalreporter.write_line(table(outages_of_session))
