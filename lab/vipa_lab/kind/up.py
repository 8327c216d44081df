"""``kind-up``: from nothing to a cluster with vipa on it, and back to nothing when that fails or is broken off."""

import json
import os
import shutil
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind import dockerd, images, machine, programs
from vipa_lab.kind.down import down, held, remove
from vipa_lab.kind.engine import Engine
from vipa_lab.kind.install import image, install
from vipa_lab.kind.network import connect_nodes, connect_pods, make_networks
from vipa_lab.kind.places import (
    CLIENT,
    CLIENT_ADDRESS,
    CLUSTER,
    LAN,
    MANAGEMENT,
    NODES,
    RECIPE,
    cache_folder,
    state_folder,
)
from vipa_lab.kind.steps import log_file, logged, say, step
from vipa_lab.kube.binaries import find
from vipa_lab.kube.helm import Helm
from vipa_lab.kube.kubectl import Kubectl

WAYS: Final = ("stock", "packages")
# The registry that the stock node image and the Dockerfile's base image come from; 401 is its answer to strangers.
_REGISTRY: Final = "https://registry-1.docker.io/v2/"
_REGISTRY_S: Final = 5.0
_NEEDED_BYTES: Final = 12 * 1000**3
_NODES_READY_S: Final = 180


def up() -> bool:
    """Make the cluster; False when it is up already.

    $VIPA_KIND names the way, $VIPA_KIND_KEEP leaves a cluster that failed to be looked at.
    """
    _require_root()
    state = state_folder()
    with held():
        if (state / "cluster.json").exists():
            say("kind: the cluster is up already; 'make kind-down' ends it")
            return False
        down()
        try:
            _make(state)
        except BaseException:
            # Whoever breaks off twice would leave the machine half restored.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.environ.get("VIPA_KIND_KEEP"):
                say(f"kind: left as it is, its state in {state}; 'make kind-down' ends it")
            else:
                down()
            raise
        return True


def way() -> str:
    """How the cluster is going to be made; said in a line."""
    chosen = os.environ.get("VIPA_KIND")
    if chosen:
        if chosen not in WAYS:
            raise LabError(f"VIPA_KIND={chosen}: the ways are {' and '.join(WAYS)}")
        say(f"kind: {chosen}, as VIPA_KIND says")
        return chosen
    if _registry_answers():
        say("kind: a container registry answers, so nodes are the stock kindest/node")
        return "stock"
    say("kind: no container registry answers, so all images are made of Debian, Go and Python packages")
    return "packages"


def _make(state: Path) -> None:
    chosen = way()
    own = not Engine().answers()
    programs.install_debian(own_dockerd=own, from_packages=chosen == "packages")
    kubernetes = programs.kubernetes() if chosen == "packages" else None
    programs.tools()
    kind = programs.kind(pinned=chosen == "packages")
    _require_space(chosen)
    state.mkdir(parents=True, exist_ok=True)
    host = dockerd.socket(state) if own else os.environ.get("DOCKER_HOST", "")
    machine.write(machine.look(host, own=own), state / "before.json")
    if own:
        with step("dockerd, as none answers"):
            engine = dockerd.start(state)
            remove(engine)  # what a dockerd that was killed could not forget
    else:
        engine = Engine(host)
    arguments = ["--image", images.node(engine, kubernetes)] if kubernetes else []
    images.project(engine, image(), images.bases(engine) if kubernetes else None)
    if own:
        images.forget_old(engine, keep=arguments)
    _cluster(engine, kind, arguments, state, chosen)
    kubectl, helm = Kubectl(state / "kubeconfig"), Helm(state / "helm", state / "kubeconfig")
    with step("networks of nodes and pods"):
        if kubernetes:
            connect_pods(engine, kubectl)
        connect_nodes(engine)
        client = ["--network", LAN, "--ip", CLIENT_ADDRESS, "--user", "0", "--entrypoint", "sleep", image(), "infinity"]
        engine.run("run", "--detach", "--init", "--name", CLIENT, "--hostname", CLIENT, *client)
        wait = ["wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_NODES_READY_S}s"]
        kubectl.run(*wait, timeout_s=_NODES_READY_S + 30)
    with step("the project's image, into the nodes"):
        environment = engine.environment | {"KIND_EXPERIMENTAL_DOCKER_NETWORK": MANAGEMENT}
        logged("kind-load", [kind, "load", "docker-image", "--name", CLUSTER, image()], environment)
    with step("vipa, with Helm"):
        install(kubectl, helm)
    known = {"way": chosen, "docker_host": engine.host, "image": image()}
    (state / "cluster.json").write_text(json.dumps(known))
    say("kind: ready; for a look:")
    say(f"export KUBECONFIG={state / 'kubeconfig'}")
    if engine.host:
        say(f"export DOCKER_HOST={engine.host}")
    if shutil.which("kubectl") is None:
        say(f"export PATH=$PATH:{find('kubectl').parent}")


def _cluster(engine: Engine, kind: Path, arguments: list[str], state: Path, chosen: str) -> None:
    text = (RECIPE / f"cluster-{chosen}.yaml").read_text().replace("REPOSITORY", images.REPOSITORY)
    (state / "cluster.yaml").write_text(text)
    environment = engine.environment | {"KIND_EXPERIMENTAL_DOCKER_NETWORK": MANAGEMENT}
    words = ["create", "cluster", "--name", CLUSTER, "--retain", *arguments]
    make_networks(engine)
    with step(f"cluster of {len(NODES)} nodes"):
        try:
            files: list[str | Path] = ["--config", state / "cluster.yaml", "--kubeconfig", state / "kubeconfig"]
            logged("kind-create", [kind, *words, *files], environment)
        except LabError:
            _keep_journals(engine)
            raise


def _keep_journals(engine: Engine) -> None:
    """What the nodes themselves said, for a look after they are gone."""
    for node in NODES:
        if engine.has("container", node):
            try:
                text = engine.run("exec", node, "journalctl", "--no-pager", "-n", "2000")
            except LabError as error:
                text = str(error)
            log_file(node).write_text(text)


def _registry_answers() -> bool:
    try:
        urllib.request.urlopen(_REGISTRY, timeout=_REGISTRY_S).close()
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return True


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the cluster's cables end on this machine, which root alone may plug: sudo make kind-up")


def _require_space(chosen: str) -> None:
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if chosen == "packages" and not (cache / "roots").exists() and free < _NEEDED_BYTES:
        raise LabError(
            f"{free / 1000**3:.0f} GB free where {cache} is, {_NEEDED_BYTES / 1000**3:.0f} GB are needed: "
            "make room, or name another place in XDG_CACHE_HOME"
        )
