"""A machine that can hold virtual IPs: a host with an agent and an echo server that says which node answered."""

import sys
from pathlib import Path

from vipa_lab.host import Host
from vipa_lab.pacing import ECHO_PORT
from vipa_lab.process import AGENT_CAPABILITIES, Process


class Node(Host):
    """A node. Its state directory is below its own /run and is empty again after a boot."""

    @property
    def state_dir(self) -> Path:
        """Where its agent keeps state and status socket, reachable from the lab's own process too."""
        return self.run_dir / "vipa"

    def start_agent(self, manifests: Path, *extra: str) -> Process:
        """Run a vipa agent from the folder ``manifests``, limited to NET_ADMIN and NET_RAW, with the lab's key."""
        argv = [sys.executable, "-m", "vipa_agent.main", "--node", self.name, "--manifests", str(manifests)]
        argv += ["--state-dir", str(self.state_dir), "--key-file", str(self.lab.key_file), *extra]
        return self.start(argv, "agent", capabilities=AGENT_CAPABILITIES)

    def start_echo(self, port: int = ECHO_PORT) -> Process:
        """Run an echo server (UDP and TCP, all addresses) whose replies name this node."""
        return self.start(
            [sys.executable, "-m", "vipa_lab.echo_server", "--node", self.name, "--port", str(port)], "echo"
        )
