"""``kind-down``: the machine as it was before. Works from what kind-up wrote down, whatever state things are in."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind import dockerd, machine
from vipa_lab.kind.engine import Engine
from vipa_lab.kind.places import CLIENT, CLUSTER, LAN, MANAGEMENT, cache_folder, state_folder
from vipa_lab.kind.steps import step

_REMOVE_S: Final = 120.0


@contextmanager
def held() -> Iterator[None]:
    """One kind-up or kind-down at a time; LabError when another one works."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another kind-up or kind-down works at the moment: wait for its end") from None
        yield


def down() -> bool:
    """End all that is left of a cluster, and put back what was. False when there was nothing. Safe to repeat."""
    state = state_folder()
    before = machine.read(state / "before.json")
    if before is None:
        _forget(state)
        return False
    with step("taking the cluster down"):
        engine = Engine(before.docker_host)
        if engine.answers():
            remove(engine)
        elif not before.own:
            where = f" at {before.docker_host}" if before.docker_host else ""
            raise LabError(f"the docker{where} that runs the cluster does not answer: start it, then 'make kind-down'")
        if before.own:
            dockerd.stop(state)
        else:
            machine.sweep_links()
        machine.restore(before)
        _forget(state)
    return True


def remove(engine: Engine) -> None:
    """The cluster's containers and networks; images stay for the next time."""
    found = []
    for each in (f"label=io.x-k8s.kind.cluster={CLUSTER}", f"name=^{CLIENT}$"):
        found += engine.run("ps", "--all", "--quiet", "--no-trunc", "--filter", each).split()
    if found:
        engine.run("rm", "--force", "--volumes", *found, timeout_s=_REMOVE_S)
    for network in (LAN, MANAGEMENT):
        if engine.has("network", network):
            engine.run("network", "rm", network)


def _forget(state: Path) -> None:
    if state.exists():
        shutil.rmtree(state)
