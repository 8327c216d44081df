"""Helm, as a person uses it, with a home of its own."""

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from vipa_lab.errors import LabError
from vipa_lab.kube.binaries import find

CHART: Final = Path(__file__).parents[3] / "charts/vipa"
"""vipa's chart. In a checkout; an installed package has none."""

_TIMEOUT_S: Final = 120.0


class HelmError(LabError):
    """Helm or the server refused; the text is theirs."""


class Helm:
    """``home`` is a folder for what Helm remembers; without ``kubeconfig`` no cluster is asked."""

    def __init__(self, home: Path, kubeconfig: Path | None = None) -> None:
        places = {name: str(home / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        # No file there: what the user's own kubeconfig names is none of ours.
        self._environment = {**os.environ, **places, "KUBECONFIG": str(kubeconfig or home / "none")}

    def run(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> str:
        """Any Helm command; gives its standard output. HelmError with its words when it fails."""
        argv = [str(find("helm")), *arguments]
        try:
            done = subprocess.run(
                argv, env=self._environment, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise HelmError(f"helm {' '.join(arguments)}: no end within {timeout_s:g} s") from None
        if done.returncode != 0:
            raise HelmError(f"helm {' '.join(arguments)}: {done.stderr.strip()}\n{done.stdout.strip()}".strip())
        return done.stdout

    def template(self, *values: str) -> list[dict[str, Any]]:
        """The chart's objects with these ``--set`` values, hooks too, in namespace vipa-system."""
        text = self.run("template", "vipa", str(CHART), "--namespace=vipa-system", *(f"--set={v}" for v in values))
        return [document for document in yaml.safe_load_all(text) if document]
