"""What tests say to an API server, by kubectl: the same words as a person would use."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from vipa_lab.errors import LabError
from vipa_lab.kube.binaries import find
from vipa_lab.until import until

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""

# One call costs 0.1 s of processor, more on a busy machine.
_POLL_S: Final = 0.2
_TIMEOUT_S: Final = 60.0


class KubectlError(LabError):
    """kubectl or the server refused; the text is theirs."""


class NotFoundError(KubectlError):
    """There is no such object."""


class Kubectl:
    """kubectl as the user of ``kubeconfig``. ``namespace`` "" is the default one, and right for what has none."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        # Of its own: kubectl remembers by host and port what kinds a server has, and the next test's has others.
        self._cache = kubeconfig.with_name(f"{kubeconfig.name}.cache")

    def run(self, *arguments: str, stdin: str = "", timeout_s: float = _TIMEOUT_S) -> str:
        """Any kubectl command; gives its standard output. KubectlError with its words when it fails."""
        argv = [str(find("kubectl")), "--kubeconfig", str(self.kubeconfig), "--cache-dir", str(self._cache), *arguments]
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            raise KubectlError(f"kubectl {' '.join(arguments)}: no answer within {timeout_s:g} s") from None
        if done.returncode != 0:
            kind = NotFoundError if "(NotFound)" in done.stderr else KubectlError
            raise kind(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, text: str, *flags: str) -> str:
        """Apply manifests; ``flags`` as "--server-side", "--field-manager=x", "--dry-run=server"."""
        return self.run("apply", *flags, "-f", "-", stdin=text)

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """One object; NotFoundError when there is none."""
        found: Object = json.loads(self.run("get", kind, name, "-o", "json", *_in(namespace)))
        return found

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found", *_in(namespace))
        return json.loads(text) if text else None

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        """All objects of a kind, or those whose labels ``selector`` picks."""
        labels = ["-l", selector] if selector else []
        found: list[Object] = json.loads(self.run("get", kind, "-o", "json", *labels, *_in(namespace)))["items"]
        return found

    def patch(self, kind: str, name: str, change: Object, *flags: str, namespace: str = "") -> None:
        """Merge ``change`` (RFC 7386); ``flags`` as "--subresource=status"."""
        self.run("patch", kind, name, "--type=merge", "-p", json.dumps(change), *flags, *_in(namespace))

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete one object and wait until it is gone; nothing happens when it is not there."""
        self.run("delete", kind, name, "--ignore-not-found", *_in(namespace))

    def wait(
        self, kind: str, name: str, holds: Callable[[Object], bool], timeout_s: float = 30.0, namespace: str = ""
    ) -> Object:
        """The object as soon as it exists and ``holds`` of it; AssertionError with its last state."""
        return wait_for(lambda: self.find(kind, name, namespace), holds, f"{kind} {name}", timeout_s, _POLL_S)


def wait_for(
    find: Callable[[], Object | None], holds: Callable[[Object], bool], what: str, timeout_s: float, every_s: float
) -> Object:
    """What ``find`` gives as soon as there is something and ``holds`` of it; AssertionError with its last state."""
    last: Object | None = None

    def look() -> Object | None:
        nonlocal last
        last = find()
        return last if last is not None and holds(last) else None

    return until(look, lambda: f"{what}: {json.dumps(last)}", timeout_s, every_s)


def _in(namespace: str) -> list[str]:
    return ["-n", namespace] if namespace else []
