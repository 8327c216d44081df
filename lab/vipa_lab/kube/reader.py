"""Somebody who follows the documentation word for word, in the checkout, with kubectl and helm at hand."""

import os
import subprocess
from pathlib import Path
from typing import Final

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.binaries import find

CHECKOUT: Final = Path(__file__).parents[3]
# The longest is an installation that waits until all is ready: 20 s here.
_TIMEOUT_S: Final = 120


class Reader:
    """An admin of ``server``. ``folder`` is the home; ``programs`` in it comes first in PATH, then ``more``."""

    def __init__(self, server: ApiServer, folder: Path, *more: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        for name in ("kubectl", "helm"):
            (self.programs / name).symlink_to(find(name))
        self._environment = os.environ | {
            "PATH": ":".join([str(self.programs), *map(str, more), os.environ["PATH"]]),
            "HOME": str(folder),
            "KUBECONFIG": str(server.admin),
            "REGISTRY": "registry.example.org",
        }

    def follow(self, block: str) -> str:
        """Run what stands there, one command or several; gives the output. AssertionError when one fails."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block],
            cwd=CHECKOUT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout
