"""The programs that make a cluster: Debian's, Kubernetes' own (:mod:`vipa_lab.kube.build`), and kind."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind.places import cache_folder
from vipa_lab.kind.steps import logged, step
from vipa_lab.kube.binaries import RECIPE, built_folder, find
from vipa_lab.kube.build import STEPS, build

CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
ON_NODES: Final = ("kubeadm", "kubelet", "kubectl")
# The command a step needs, and Debian's package of it.
_DEBIAN: Final = {"ip": "iproute2", "nsenter": "util-linux", "nft": "nftables"}
_OWN_DOCKERD: Final = {"dockerd": "docker.io", "docker": "docker.io", "iptables": "iptables"}
_FROM_PACKAGES: Final = {"mmdebstrap": "mmdebstrap"}


def install_debian(*, own_dockerd: bool, from_packages: bool) -> None:
    """What is missing of Debian's: installed as root, asked for otherwise."""
    wanted = _DEBIAN | (_OWN_DOCKERD if own_dockerd else {}) | (_FROM_PACKAGES if from_packages else {})
    missing = sorted({package for command, package in wanted.items() if shutil.which(command) is None})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(f"{', '.join(missing)} missing: 'apt install {' '.join(missing)}'")
    with step(f"{', '.join(missing)}, with apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        logged("apt-update", ["apt-get", "update", "-qq"], environment)
        logged("apt", ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], environment)


def kubernetes() -> Path:
    """The folder with all of :data:`CONTROL_PLANE`, :data:`ON_NODES` and kube-proxy, of one build."""
    names = [*STEPS["api"], *STEPS["rest"], *STEPS["tools"]]
    build(names)
    folder = built_folder()
    for name in names:
        if not (folder / name).exists():
            raise LabError(
                f"{name} is {find(name)} here, but a cluster needs all programs of one build: "
                "leave KUBEBUILDER_ASSETS unset and take it out of PATH"
            )
    return folder


def tools() -> None:
    """kubectl and helm."""
    build(list(STEPS["tools"]))


def kind(*, pinned: bool) -> Path:
    """kind's program: the one in PATH, unless the version must be the one that our node image is made for."""
    found = shutil.which("kind")
    if found and not pinned:
        return Path(found)
    module = RECIPE / "kind"
    content = b"".join((module / name).read_bytes() for name in ("go.mod", "go.sum"))
    program = cache_folder() / "bin" / hashlib.sha256(content).hexdigest()[:16] / "kind"
    if not program.exists():
        if shutil.which("go") is None:
            raise LabError("Go is needed to build kind: install it (https://go.dev/dl), or kind itself")
        with step("kind's program"):
            part = program.with_suffix(".part")
            environment = {**os.environ, "CGO_ENABLED": "0"}
            flags: list[str | Path] = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", part]
            logged("build-kind", ["go", "build", *flags, "sigs.k8s.io/kind"], environment, module)
            part.rename(program)
    return program
