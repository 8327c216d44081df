"""What the chart's own pods do, with Python's standard library alone: the chart passes this text to ``python3 -c``.

make-key NAMESPACE SECRET ID    makes the Secret with one key, unless it is there.
check NAMESPACE                 whether vipa works here: exit code 0 and a line, or 1 and a line for each thing amiss.

$VIPA_ACCOUNT: another folder than a pod's with token and ca.crt. $VIPA_WAIT_S: how long to wait for things to come up.
"""

import base64
import json
import os
import secrets
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path(os.environ.get("VIPA_ACCOUNT", "/var/run/secrets/kubernetes.io/serviceaccount"))
WAIT_S = float(os.environ.get("VIPA_WAIT_S", "60"))
CONFLICT, NOT_FOUND = 409, 404
REQUEST_S = 10.0
POLL_S = 1.0
# 256 bits: as much as heartbeat keys are derived to (core/vipa/heartbeat/keys.py).
SECRET_BYTES = 32


def ask(method: str, path: str, body: object = None) -> dict:
    """The API server's answer; HTTPError when it refuses, OSError when it does not answer."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    request = urllib.request.Request(
        f"https://{f'[{host}]' if ':' in host else host}:{port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Content-Type": "application/json"},
        method=method,
    )
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=REQUEST_S, context=context) as answer:
        return json.load(answer)


def make_key(namespace: str, name: str, key_id: str) -> list:
    """Create the Secret. One that is there stays as it is: agents use it."""
    key = f"{key_id}:{secrets.token_hex(SECRET_BYTES)}\n"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "vipa"}},
        "data": {"key": base64.b64encode(key.encode()).decode()},
    }
    try:
        ask("POST", f"/api/v1/namespaces/{namespace}/secrets", secret)
    except urllib.error.HTTPError as error:
        if error.code != CONFLICT:
            raise
        print(f"Secret {name} is there already: kept")
    else:
        print(f"Secret {name} made")
    return []


def check(namespace: str) -> list:
    """What is amiss, a line each."""
    try:
        lease = ask("GET", f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/vipa-operator")
    except urllib.error.HTTPError as error:
        if error.code != NOT_FOUND:
            raise
        return ["no operator leads: see kubectl logs deployment/vipa-operator"]
    problems = [] if lease["spec"].get("holderIdentity") else ["no operator leads at the moment"]
    running = 0
    for node in ask("GET", "/apis/vipa.dev/v1alpha1/virtualipnodes")["items"]:
        agent = node.get("status", {}).get("agent", {})
        if not agent:
            problems.append(f"node {node['metadata']['name']}: its agent has not said anything yet")
        running += bool(agent)
    if not running and not problems:
        problems.append("no agent runs on any node: see kubectl describe daemonset/vipa-agent")
    if not problems:
        print(f"vipa works: {running} agents, operator {lease['spec']['holderIdentity']}")
    return problems


def main(words: list) -> int:
    """Try until it works, or the time is over."""
    commands = {"make-key": make_key, "check": check}
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            problems = commands[words[0]](*words[1:])
        except urllib.error.HTTPError as error:
            problems = [f"the API server refuses: {error.code} {error.read().decode(errors='replace')}"]
        except OSError as error:
            problems = [f"the API server does not answer: {error}"]
        if not problems or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
