"""A dockerd of our own, for machines on which none answers: own socket, data and configuration, nothing in /etc.

It leaves firewall and forwarding of the machine alone: nodes and clients share bridges, the API server's port is
forwarded by a program, and nobody in the cluster needs a way out.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind import lean_runtime
from vipa_lab.kind.engine import Engine
from vipa_lab.kind.machine import sweep_links, sweep_mounts, sweep_processes
from vipa_lab.kind.places import cache_folder
from vipa_lab.kind.steps import log_file

# Two cores that also start a cluster; 2 s on an idle machine.
_START_S: Final = 60.0
# dockerd gives containers 15 s to end, when there are any.
_STOP_S: Final = 40.0
_POLL_S: Final = 0.1


def socket(state: Path) -> str:
    """DOCKER_HOST of a dockerd whose folder is ``state``."""
    return f"unix://{state}/docker.sock"


def start(state: Path) -> Engine:
    """Start it, and wait until it answers; LabError with its log when it does not."""
    program = shutil.which("dockerd")
    if program is None:
        raise LabError("dockerd is missing: install docker.io (Debian, Ubuntu) or docker-ce")
    (state / "dockerd.json").write_text(json.dumps(configuration(state), indent=1))
    log = log_file("dockerd")
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for kind-up, which then ends it in good order.
        child = subprocess.Popen(
            [program, "--config-file", str(state / "dockerd.json")],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    engine = Engine(socket(state))
    deadline_s = time.monotonic() + _START_S
    while not engine.answers():
        if child.poll() is not None or time.monotonic() > deadline_s:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise LabError(f"dockerd does not start; its log is {log}, the end of it:\n{tail}")
        time.sleep(_POLL_S)
    return engine


def stop(state: Path) -> None:
    """End it if it runs, and sweep away what a dockerd that was killed left behind. Safe to repeat."""
    pid = _pid(state)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline_s = time.monotonic() + _STOP_S
        while _pid(state) == pid and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)
        if _pid(state) == pid:
            os.kill(pid, signal.SIGKILL)
    sweep_processes(_data(), state / "exec")
    sweep_mounts(state / "exec")
    sweep_mounts(_data())
    sweep_links()


def configuration(state: Path) -> dict[str, object]:
    """Its daemon.json."""
    made: dict[str, object] = {
        "hosts": [socket(state)],
        "data-root": str(_data()),
        "exec-root": str(state / "exec"),
        "pidfile": str(state / "docker.pid"),
        "bridge": "none",
        "iptables": False,
        "ip-forward": False,
        "log-opts": {"max-size": "10m"},
    }
    if lean_runtime.lacking(Path("/proc/self/status").read_text()):
        runtime = state / "lean-runtime"
        # This interpreter by its real path: a shim in PATH would be asked each time a container starts a program.
        code = Path(lean_runtime.__file__).read_text()
        runtime.write_text(f"#!{os.path.realpath(sys.executable)} -IS\n{code}")
        runtime.chmod(0o755)
        made |= {"runtimes": {"lean": {"path": str(runtime)}}, "default-runtime": "lean"}
    return made


def _data() -> Path:
    return cache_folder() / "docker"


def _pid(state: Path) -> int | None:
    """Of our dockerd while it runs; the file alone may be older than the machine."""
    try:
        pid = int((state / "docker.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        is_zombie = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if str(state / "dockerd.json").encode() in words and not is_zombie else None
