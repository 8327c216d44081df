"""Root file systems made of Debian packages, as tar files: of a node, of kube-proxy, and the project image's bases."""

import hashlib
import json
import os
import platform
import re
import sys
from pathlib import Path
from typing import Final

import msgspec

from vipa_lab.errors import LabError
from vipa_lab.kind.places import CHECKOUT, cache_folder
from vipa_lab.kind.steps import logged, step

_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"
_LEFT_OUT: Final = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
_APT_SOURCE: Final = re.compile(r"^(?:URIs:|deb(?: \[[^]]*\])?)\s+(\w+://\S+)", re.MULTILINE)


class Root(msgspec.Struct, frozen=True):
    """``suite``: Debian's release. ``packages``: beside the essential ones and apt. ``options``: for mmdebstrap, where
    the last one counts."""

    name: str
    suite: str
    packages: tuple[str, ...]
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Another one is another file and another image."""
        return hashlib.sha256(json.dumps([self.suite, self.packages, _LEFT_OUT, *self.options]).encode()).hexdigest()[
            :12
        ]

    @property
    def tar(self) -> Path:
        """Where :func:`make` puts it."""
        return cache_folder() / "roots" / f"{self.name}-{self.key}.tar"


NODE: Final = Root(
    "node",
    # containerd 1.7: bookworm's 1.6 lacks what kubelet 1.36 asks for.
    "trixie",
    (
        *("systemd", "systemd-sysv", "dbus", "containerd", "runc", "containernetworking-plugins"),
        *("iptables", "nftables", "conntrack", "ethtool", "iproute2", "iputils-ping", "iputils-arping"),
        *("mount", "kmod", "jq", "procps", "socat", "curl", "ca-certificates"),
    ),
)
"""What kind and kubelet call in a node, and what a person looks with."""

PROXY: Final = Root("proxy", "trixie", ("iptables", "nftables", "conntrack", "kmod"))
"""kube-proxy's; with ``sleep`` also the pause image."""

BASE: Final = Root(
    "base",
    "bookworm",
    # usr-is-merged in the place of usrmerge, which brings all of Perl: 48 MB.
    ("python3", "libnftables1", "usr-is-merged"),
    # No apt either. The hook does what usr-is-merged only asks for.
    ("--variant=essential", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"),
)
"""As the Dockerfile's own base: Python 3.11 on Debian bookworm, with what docs/install-airgapped.md asks for."""

BUILD_BASE: Final = Root("build-base", "bookworm", ("python3", "python3-pip"))
"""The same Python, with pip."""


def make(root: Root) -> Path:
    """Its tar file, made if it is not there."""
    if not root.tar.exists():
        root.tar.parent.mkdir(parents=True, exist_ok=True)
        with step(f"root file system {root.name}, of Debian {root.suite}'s packages"):
            # mmdebstrap knows the format by the name.
            part = root.tar.with_suffix(".part.tar")
            left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
            what = ["--variant=minbase", f"--include={','.join(root.packages)}", *left_out]
            recommends = '--aptopt=APT::Install-Recommends "false"'
            source = f"deb [signed-by={_KEYRING}] {mirror()} {root.suite} main"
            words: list[str | Path] = [*what, recommends, *root.options, root.suite, part, source]
            logged(f"root-{root.name}", ["mmdebstrap", "--quiet", *words])
            part.rename(root.tar)
    return root.tar


def wheels() -> Path:
    """The folder with the wheels of requirements-image.lock, fetched once for each state of it."""
    lock = CHECKOUT / "requirements-image.lock"
    folder = cache_folder() / "wheels" / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    if not folder.exists():
        with step("Python packages of the project's image"):
            part = folder.with_suffix(".part")
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet"]
            exact = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", "3.11"]
            cpu = platform.machine()
            platforms = ["--platform", f"manylinux_2_28_{cpu}", "--platform", f"manylinux2014_{cpu}"]
            logged("wheels", [*pip, *exact, *platforms, "--platform", "any", "-d", part, "-r", lock])
            part.rename(folder)
    return folder


def mirror(apt: Path = Path("/etc/apt")) -> str:
    """Where this machine itself takes Debian from: $DEBIAN_MIRROR, or what its apt is set up for."""
    if chosen := os.environ.get("DEBIAN_MIRROR"):
        return chosen
    for file in (apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))):
        for url in _APT_SOURCE.findall(file.read_text()) if file.is_file() else ():
            if url.rstrip("/").endswith("/debian"):
                return str(url)
    raise LabError("no Debian mirror in this machine's apt sources: name one in DEBIAN_MIRROR (…/debian)")
