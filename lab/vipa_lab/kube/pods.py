"""What a kubelet would run, run on this machine: a container of Python with its service account's token."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kube.accounts import SYSTEM, write_service_account
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.kubectl import Object

_TIMEOUT_S: Final = 60.0


def run_container(server: ApiServer, spec: Object, folder: Path) -> tuple[int, str]:
    """Exit code and output of the only container of a pod spec, whose command is ``python3 -c``. ``folder`` holds its
    service account's files. It tries once and does not wait."""
    write_service_account(folder, server.token(SYSTEM, spec["serviceAccountName"]), server.ca_file)
    (container,) = spec["containers"]
    if container["command"] != ["python3", "-c"]:
        raise LabError(f"only python3 -c can be run here, not {container['command']}")
    environment = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "VIPA_ACCOUNT": str(folder),
        "VIPA_WAIT_S": "0",
    }
    command = [sys.executable, "-I", "-c", *container["args"]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    return done.returncode, done.stdout + done.stderr
