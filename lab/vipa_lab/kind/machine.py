"""How the machine was before the cluster, written down before anything is changed, and put back afterwards.

What a dockerd of ours and the nodes change: some sysctls that no namespace holds, and cgroups. Links, mounts and
processes of theirs are found by their names and swept away. It all works from the file alone, so that ``kind-down`` can
finish after a Ctrl-C, a kill -9 or a dockerd that died.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from vipa_lab.errors import LabError
from vipa_lab.kind.places import LINKS

_PROC_SYS: Final = Path("/proc/sys")
_CGROUPS: Final = Path("/sys/fs/cgroup")
# containerd's shims have their sockets here, whatever its configuration.
_SOCKETS: Final = Path("/run/containerd/s")
# systemd in the nodes raises fs.*, kubelet sets kernel.* and vm.* (protectKernelDefaults), kube-proxy the last one:
# none of them belongs to a namespace.
SYSCTLS: Final = (
    "fs.file-max",
    "fs.nr_open",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
    "kernel.core_pattern",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "net.netfilter.nf_conntrack_max",
)
_END_S: Final = 10.0


class Before(msgspec.Struct, frozen=True):
    """``docker_host`` as in DOCKER_HOST; ``own``: of a dockerd of ours. ``boot``: after another nothing is put back.

    ``folders``: cgroups and folders in /run that dockerd would make."""

    boot: str
    docker_host: str
    # Defaults, so that a file that another version of this program wrote can be read.
    own: bool = True
    sysctls: dict[str, str] = {}
    folders: list[str] = []


def look(docker_host: str, *, own: bool) -> Before:
    """The machine as it is now."""
    sysctls = {key: value for key in SYSCTLS if (value := _read(key)) is not None}
    return Before(_boot(), docker_host, own, sysctls, [str(path) for path in _dockers_folders()])


def write(before: Before, file: Path) -> None:
    """Whole or not at all."""
    part = file.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(before))
    os.replace(part, file)


def read(file: Path) -> Before | None:
    """What :func:`write` wrote; None when there is nothing to put back."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Before)
    except FileNotFoundError:
        return None


def restore(before: Before) -> None:
    """Sysctls, and folders that dockerd made, as they were."""
    if before.boot != _boot():
        return
    for key, value in before.sysctls.items():
        if _read(key) != value:
            (_PROC_SYS / key.replace(".", "/")).write_text(value)
    if before.own:
        _remove_folders(before)


def sweep_links() -> None:
    """Bridges and cables of the cluster that are still there."""
    for name in links():
        if name in LINKS:
            try:
                _run("ip", "link", "delete", name)
            except LabError:
                if name in links():  # one end of a cable takes the other with it
                    raise


def sweep_mounts(folder: Path) -> None:
    """Everything mounted on ``folder`` (dockerd mounts it on itself) and below, the last one first."""
    # proc_pid_mountinfo(5): the fifth field, in which a space is \040.
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([each.replace("\\040", " ") for each in mounts]):
        if Path(mount).is_relative_to(folder):
            _run("umount", "--lazy", mount)


def sweep_processes(data: Path, execution: Path) -> None:
    """Kill what a dockerd with these two folders left running: containers' processes and their shims."""
    deadline_s = time.monotonic() + _END_S
    while pids := list(_leftover_processes(data, execution)):
        if time.monotonic() > deadline_s:
            raise LabError(f"processes of the cluster do not end: {', '.join(map(str, pids))}")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def links() -> list[str]:
    """Names of this machine's links."""
    done = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True)
    return [link["ifname"] for link in json.loads(done.stdout) if link]


def _leftover_processes(data: Path, execution: Path) -> Iterator[int]:
    containers = os.listdir(data / "containers") if (data / "containers").is_dir() else []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        if int(entry) == os.getpid():
            continue
        try:
            words = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace")
            groups = Path(f"/proc/{entry}/cgroup").read_text()
            state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile
        is_shim = "containerd" in words and f"{execution}/" in words
        if state != "Z" and (is_shim or any(name in groups for name in containers)):
            yield int(entry)


def _dockers_folders() -> list[Path]:
    """What dockerd makes outside its own folders, and leaves: a cgroup for each controller of version 1, or the one of
    version 2, and folders in /run."""
    found = [_CGROUPS / "docker", *sorted(_CGROUPS.glob("*/docker")), Path("/run/docker"), _SOCKETS.parent]
    return [path for path in found if path.is_dir()]


def _remove_folders(before: Before) -> None:
    made = [top for top in _dockers_folders() if str(top) not in before.folders]
    if _SOCKETS.parent in made and _SOCKETS.is_dir():
        for path in _SOCKETS.iterdir():
            if not _answers(path):
                path.unlink()
    for top in made:
        # rmdir takes empty ones only, the deepest first; one that is used stays.
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def _answers(path: Path) -> bool:
    """Whether a program listens; the shim of a container that was killed does not."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
    return True


def _read(key: str) -> str | None:
    try:
        return (_PROC_SYS / key.replace(".", "/")).read_text().strip()
    except OSError:
        return None  # a kernel without it, or one that shows it to nobody


def _boot() -> str:
    return (_PROC_SYS / "kernel/random/boot_id").read_text().strip()


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")
