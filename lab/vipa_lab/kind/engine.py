"""Words to docker: the machine's own dockerd when one answers, else one of ours (:mod:`vipa_lab.kind.dockerd`)."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError

_TIMEOUT_S: Final = 60.0


class DockerError(LabError):
    """docker refused; the text is its own."""


class Engine:
    """``host`` as in DOCKER_HOST; "" is whatever the user's own docker command talks to."""

    def __init__(self, host: str = "") -> None:
        self.host = host

    @property
    def environment(self) -> dict[str, str]:
        """For programs that use docker, as kind does. The classic builder needs no plugin, and every docker has it."""
        own = {"DOCKER_HOST": self.host} if self.host else {}
        return {**os.environ, **own, "DOCKER_BUILDKIT": "0", "DOCKER_CLI_HINTS": "false"}

    def run(self, *words: str, stdin: str = "", timeout_s: float = _TIMEOUT_S) -> str:
        """Any docker command; gives its standard output, stripped. DockerError with its words when it fails."""
        try:
            done = subprocess.run(
                [program(), *words],
                env=self.environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DockerError(f"docker {' '.join(words)}: no answer within {timeout_s:g} s") from None
        if done.returncode != 0:
            raise DockerError(f"docker {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def answers(self) -> bool:
        """Whether a dockerd is there and lets us in."""
        if shutil.which("docker") is None:
            return False
        try:
            self.run("version", "--format", "{{.Server.Version}}", timeout_s=10.0)
        except DockerError:
            return False
        return True

    def has(self, kind: str, name: str) -> bool:
        """Whether there is an "image", "container" or "network" of that name."""
        try:
            self.run(kind, "inspect", "--format", "{{.Id}}", name)
        except DockerError:
            return False
        return True


def program() -> str:
    """The docker command's path."""
    found = shutil.which("docker")
    if found is None:
        raise LabError("docker is missing: install docker.io (Debian, Ubuntu) or docker-ce")
    return str(Path(found))
