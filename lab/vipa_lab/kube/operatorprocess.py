"""A vipa-operator as a process of its own, and agents played by writing what they would report."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vipa_lab.errors import LabError
from vipa_lab.kube.objects import Objects
from vipa_lab.kube.started import Started

_START_S: Final = 60.0
_POLL_S: Final = 0.05
# It promises 5 s; a busy machine may take its time.
_END_S: Final = 60.0
_ANSWER_S: Final = 30.0


class OperatorProcess(Started):
    """``log`` is its output. By its name it takes the lease that it left behind when it was killed."""

    def __init__(self, kubeconfig: Path, folder: Path, name: str = "operator") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # A copy: the API server's own is written anew whenever somebody asks for it.
        self._kubeconfig = folder / f"{name}.kubeconfig"
        self._kubeconfig.write_bytes(kubeconfig.read_bytes())
        self.log = folder / f"{name}.log"
        self.name = name
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Returns when it answers on its port. LabError with its last words when it does not."""
        program = str(Path(sys.executable).parent / "vipa-operator")
        words = [program, "--kubeconfig", str(self._kubeconfig), "--listen", "127.0.0.1:0", "--name", self.name]
        with self.log.open("ab") as log:
            begun = log.tell()
            self._process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            found = re.search(rb'"port": (\d+)\D', self.log.read_bytes()[begun:])
            if found:
                self.port = int(found[1])
                return
            time.sleep(_POLL_S)
        self.stop()
        raise LabError(f"vipa-operator did not start: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self, timeout_s: float = _END_S) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout_s)

    def stop(self) -> None:
        """End it, whatever it does."""
        self.kill()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self._process is not None
        return self._process.pid

    def metric(self, name: str) -> float:
        """The value of a metric, 0 where it has none."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=_ANSWER_S) as answer:
            found = re.search(rf"^{re.escape(name)} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def leads(self) -> bool:
        """Whether it says that it is the one that writes."""
        return self.metric("vipa_leader") == 1.0


def report(objects: Objects, node: str, address: str, vips: Mapping[str, tuple[str, int]] | None = None) -> None:
    """What the agent on ``node`` reports: eth1 with this address is healthy, and of each VIP (role, term), with the
    addresses that its VirtualIP has."""
    interface = {"name": "eth1", "addresses": [f"{address}/24"], "mac": "52:54:00:00:00:01", "healthy": True}
    reports: list[dict[str, Any]] = [
        {
            "name": name,
            "addresses": objects.get("virtualips", name)["spec"]["addresses"],
            "role": role,
            "interface": "eth1",
            "reason": "TopOfList",
            "term": term,
        }
        for name, (role, term) in (vips or {}).items()
    ]
    status = {"node": node, "interfaces": [{**interface, "reason": "Healthy"}], "vips": reports}
    objects.patch("virtualipnodes", node, {"status": status}, "status")
