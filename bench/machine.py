"""What the figures were measured on, in one line."""

import functools
import os
import platform
import subprocess
from pathlib import Path

from records import ROOT


@functools.cache
def describe() -> str:
    """ "2 × AMD EPYC …, Linux 6.18.5, Debian GNU/Linux 12 (bookworm), Python 3.11.2"."""
    return ", ".join(
        (
            f"{os.cpu_count()} × {_field('/proc/cpuinfo', 'model name', ':')}",
            f"Linux {platform.release()}",
            _field("/etc/os-release", "PRETTY_NAME", "="),
            f"Python {platform.python_version()}",
        )
    )


@functools.cache
def commit() -> str:
    """The checkout's commit, short; with a plus when files differ from it; "" outside a git checkout."""
    found = _run("git", "-c", f"safe.directory={ROOT}", "rev-parse", "--short=10", "HEAD")
    changed = _run("git", "-c", f"safe.directory={ROOT}", "status", "--porcelain", "--untracked-files=no")
    return found + ("+" if changed else "")


@functools.cache
def keepalived_version() -> str:
    """ "Keepalived v2.2.7"; "" when it is not installed."""
    return " ".join(_run("keepalived", "--version").split()[:2])


def _run(*argv: str) -> str:
    try:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    # keepalived writes its version to standard error.
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""


def _field(path: str, key: str, separator: str) -> str:
    for line in Path(path).read_text().splitlines():
        name, found, value = line.partition(separator)
        if found and name.strip() == key:
            return value.strip().strip('"')
    return "unknown"
