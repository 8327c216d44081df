"""Whom to ask: the cluster's API server, or the agent on this machine."""

import os
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vipa_cli.cluster.errors import UsageError

STATE_DIR: Final = Path("/run/vipa")
"""What the agent uses when it is not told otherwise (vipa_agent.settings; importing it would cost 50 ms of --help)."""
SOCKET: Final = "agent.sock"


def asks_cluster(arguments: Namespace, *, plugin: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """The first that applies: --agent or --state-dir: the agent. --kubeconfig, --context, or run as kubectl-vipa: the
    cluster. $KUBECONFIG or ~/.kube/config is there: the cluster. An agent's socket is there: the agent. In a Pod: the
    cluster. Otherwise the agent, which then says that there is none. Raises UsageError for two at once."""
    from vipa_cli.cluster.kubeconfig import default_files, in_pod

    agent = arguments.agent or arguments.state_dir is not None
    named = arguments.kubeconfig is not None or bool(arguments.context)
    if agent and named:
        raise UsageError("--agent and --state-dir ask this machine, --kubeconfig and --context a cluster: give one")
    if agent:
        return False
    if named or plugin or default_files(environment):
        return True
    return not (STATE_DIR / SOCKET).exists() and in_pod(environment)
