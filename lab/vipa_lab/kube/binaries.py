"""Where the programs of Kubernetes are: kube-apiserver, etcd, kubectl, helm and the rest.

Looked for in this order: the folder ``$KUBEBUILDER_ASSETS`` (as envtest has it), what ``tools/kube/build`` made for
this checkout, then ``PATH``, where a program counts only when it is recent enough.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError

RECIPE: Final = Path(__file__).parents[3] / "tools" / "kube"
"""The Go modules that pin Kubernetes and etcd. In a checkout; an installed package has none."""

# The oldest that will do, and what prints its version. kube-apiserver 1.32 is the first whose Pod-bound tokens always
# name the node (KEP-4193); kubectl may be one minor version off the server (the version skew policy) and ours is 1.36.
_OLDEST: Final[dict[str, tuple[tuple[int, int], tuple[str, ...]]]] = {
    "kube-apiserver": ((1, 32), ("--version",)),
    "etcd": ((3, 5), ("--version",)),
    "kubectl": ((1, 35), ("version", "--client")),
    "helm": ((3, 14), ("version", "--short")),
}
_VERSION: Final = re.compile(r"\bv?(\d+)\.(\d+)\.\d+")
_VERSION_TIMEOUT_S: Final = 30.0


@cache
def find(name: str) -> Path:
    """The program ``name``; LabError that says how to get it."""
    found = find_or_none(name)
    if found is None:
        raise LabError(f"{name} is missing: 'make api' builds it, or set KUBEBUILDER_ASSETS to a folder that has it")
    return found


def find_or_none(name: str) -> Path | None:
    """The program ``name``, or None."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    folders = [*([Path(assets)] if assets else []), *([built_folder()] if RECIPE.is_dir() else [])]
    for folder in folders:
        if os.access(folder / name, os.X_OK):
            return (folder / name).absolute()
    path = shutil.which(name)
    return Path(path) if path and _is_recent(name, path) else None


def built_folder() -> Path:
    """Where ``tools/kube/build`` puts programs made from this checkout's recipe: a change of it is another folder."""
    recipe = [RECIPE / module / file for module in ("etcd", "kubernetes") for file in ("go.mod", "go.sum")]
    recipe.append(Path(__file__).with_name("build.py"))
    content = b"".join(path.read_bytes() for path in recipe) + platform.machine().encode()
    return cache_folder() / hashlib.sha256(content).hexdigest()[:16] / "bin"


def cache_folder() -> Path:
    """Shared by all checkouts of this user (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vipa" / "kube"


def _is_recent(name: str, path: str) -> bool:
    if name not in _OLDEST:
        return False
    oldest, arguments = _OLDEST[name]
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False  # it is no program for this machine, which is as good as not there
    said = _VERSION.search(done.stdout)
    return said is not None and (int(said[1]), int(said[2])) >= oldest
