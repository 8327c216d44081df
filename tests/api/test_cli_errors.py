"""What the cluster commands say when the server is away, does not know them, does not allow it, or has no vipa."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from vipa_lab.kube.apiserver import ApiServer

VIPA: Final = Path(sys.executable).parent / "vipa"
ERP: Final = {
    "apiVersion": "vipa.dev/v1alpha1",
    "kind": "VirtualIP",
    "metadata": {"name": "erp"},
    "spec": {"addresses": ["10.1.1.7"]},
}
READ_VIPS: Final = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reads-vips}
rules: [{apiGroups: [vipa.dev], resources: [virtualips], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reads-vips}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reads-vips}
subjects: [{kind: User, name: reader, apiGroup: rbac.authorization.k8s.io}]
"""
Done = subprocess.CompletedProcess[str]
Document = dict[str, Any]


def vipa(config: Path | None, *words: str, **environment: str) -> Done:
    clean = {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "HOME")} | environment
    named = ["--kubeconfig", str(config)] if config is not None else []
    return subprocess.run([VIPA, *words, *named], capture_output=True, text=True, timeout=120, check=False, env=clean)


def changed(api: ApiServer, folder: Path, change: Callable[[Document, Document], object]) -> Path:
    """The admin's kubeconfig after ``change(cluster, user)``."""
    document = json.loads(api.admin.read_text())
    change(document["clusters"][0]["cluster"], document["users"][0]["user"])
    path = folder / "changed"
    path.write_text(json.dumps(document))
    return path


def test_no_kubeconfig(tmp_path: Path) -> None:
    for words in (("status",), ("explain", "erp"), ("check", "--cluster")):
        done = vipa(None, *words, HOME=str(tmp_path))
        assert done.returncode == 3, done.stderr
    assert "no cluster to talk to: there is no ~/.kube/config; give --kubeconfig FILE" in done.stderr
    agent = vipa(None, "status", "--state-dir", str(tmp_path), HOME=str(tmp_path))
    assert (agent.returncode, "no vipa-agent runs" in agent.stderr) == (3, True)


def test_nobody_listens(api: ApiServer, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"https://127.0.0.1:{taken.getsockname()[1]}"
        done = vipa(changed(api, tmp_path, lambda cluster, _: cluster.update(server=url)), "status")
    assert (done.returncode, "Connection refused" in done.stderr) == (3, True), done.stderr
    assert "virtual IPs go on without it" in done.stderr


def test_the_name_is_unknown(api: ApiServer, tmp_path: Path) -> None:
    config = changed(api, tmp_path, lambda cluster, _: cluster.update(server="https://no-such-host.invalid:6443"))
    done = vipa(config, "status")
    assert (done.returncode, "is not known here" in done.stderr) == (3, True), done.stderr


def test_a_certificate_of_somebody_else(api: ApiServer, tmp_path: Path) -> None:
    def distrust(cluster: Document, user: Document) -> None:
        del cluster["certificate-authority-data"]

    done = vipa(changed(api, tmp_path, distrust), "status")
    assert (done.returncode, "is not trusted" in done.stderr) == (3, True), done.stderr

    def rename(cluster: Document, user: Document) -> None:
        cluster["tls-server-name"] = "somebody.else"

    assert "is not trusted: Hostname mismatch" in vipa(changed(api, tmp_path, rename), "status").stderr


def test_ways_to_trust(api: ApiServer, tmp_path: Path) -> None:
    def insecure(cluster: Document, user: Document) -> None:
        del cluster["certificate-authority-data"]
        cluster["insecure-skip-tls-verify"] = True

    def by_files(cluster: Document, user: Document) -> None:
        for entry, field in (
            (cluster, "certificate-authority"),
            (user, "client-certificate"),
            (user, "client-key"),
        ):
            (tmp_path / f"{field}.pem").write_bytes(base64.b64decode(entry.pop(f"{field}-data")))
            entry[field] = f"{field}.pem"
        cluster["tls-server-name"] = "kubernetes.default.svc"

    for change in (insecure, by_files):
        done = vipa(changed(api, tmp_path, change), "status")
        assert (done.returncode, "there is no virtual IP yet" in done.stdout) == (0, True), done.stderr


def test_a_wrong_token(api: ApiServer, tmp_path: Path) -> None:
    def forge(cluster: Document, user: Document) -> None:
        user.clear()
        user["token"] = "made-up"

    done = vipa(changed(api, tmp_path, forge), "status")
    assert (done.returncode, "does not know you (401)" in done.stderr) == (3, True), done.stderr


def test_a_plugin_gives_a_new_token_when_the_old_one_is_refused(api: ApiServer, tmp_path: Path) -> None:
    """As in a long watch: what it gave first is worth nothing any more."""
    good = api.token("vipa-system", make_account(api))
    script, asked = tmp_path / "login", tmp_path / "asked"
    script.write_text(
        f"#!/bin/sh\nif [ -e {asked} ]; then token={good}; else token=old; touch {asked}; fi\n"
        'echo "{\\"status\\": {\\"token\\": \\"$token\\"}}"\n'
    )
    script.chmod(0o755)

    def use(cluster: Document, user: Document) -> None:
        user.clear()
        user["exec"] = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script)}

    done = vipa(changed(api, tmp_path, use), "status")
    assert asked.exists()
    assert (done.returncode, "system:serviceaccount:vipa-system:somebody" in done.stderr) == (3, True), done.stderr


def make_account(api: ApiServer) -> str:
    metadata = {"name": "somebody", "namespace": "vipa-system"}
    api.objects.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return "somebody"


def test_not_allowed(api: ApiServer) -> None:
    done = vipa(api.kubeconfig("eve"), "status")
    assert done.returncode == 3
    assert 'not allowed: virtualips.vipa.dev is forbidden: User "eve" cannot list' in done.stderr
    assert "ask your administrator" in done.stderr


def test_few_rights_are_enough_to_look_at_virtual_ips(frail_api: ApiServer) -> None:
    server = frail_api
    server.kubectl.apply(READ_VIPS)
    assert server.rest.ask("POST", "/apis/vipa.dev/v1alpha1/virtualips", ERP)[0] == 201
    reader = server.kubeconfig("reader")
    done = vipa(reader, "status")
    assert (done.returncode, "nobody has looked at it yet" in done.stdout) == (1, True), done.stderr
    done = vipa(reader, "explain", "erp")
    assert (done.returncode, "you may not list Nodes" in done.stdout) == (1, True), done.stderr
    assert "you may not list events" in vipa(reader, "timeline", "erp").stdout
    refused = vipa(reader, "drain", "w1")
    assert (refused.returncode, "not allowed" in refused.stderr) == (3, True), refused.stderr
    check = vipa(reader, "check")
    assert "warn  operator: may not read Lease" in check.stdout
    assert "warn  agents: may not list Nodes" in check.stdout
    # And then it freezes: whoever waits is told, and not left waiting.
    server.freeze()
    try:
        silent = vipa(reader, "status")
    finally:
        server.thaw()
    assert (silent.returncode, "does not answer within 10 s" in silent.stderr) == (3, True), silent.stderr


@pytest.mark.usefixtures("forget_crds")
def test_a_cluster_without_vipa(bare_api: ApiServer, tmp_path: Path) -> None:
    server = bare_api
    for words in (
        ("status",),
        ("explain", "erp"),
        ("timeline", "erp"),
        ("nexthops", "erp"),
        ("move", "erp", "--to", "w"),
    ):
        done = vipa(server.admin, *words)
        assert done.returncode == 3
        assert "does not know vipa's resource types; is vipa installed there?" in done.stderr, done.stderr
    check = vipa(server.admin, "check")
    assert (check.returncode, "fail  types: the server does not know" in check.stdout) == (1, True), check.stderr
    bundle = vipa(server.admin, "support-bundle", "-f", str(tmp_path / "b.tar.gz"))
    assert (bundle.returncode, "not in it: /apis/vipa.dev" in bundle.stdout) == (0, True), bundle.stderr


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy for one connection at a time: its URL, and the first lines of what was asked of it."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=_serve, args=(listener, asked), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(listener: socket.socket, asked: list[str]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            first = client.recv(4096).decode().splitlines()[0]
            asked.append(first)
            host, _, port = first.split()[1].rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_pump, args=(server, client))
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side has had enough
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_through_a_proxy(api: ApiServer, tmp_path: Path, proxy: tuple[str, list[str]]) -> None:
    url, asked = proxy
    done = vipa(changed(api, tmp_path, lambda cluster, _: cluster.update({"proxy-url": url})), "status")
    assert (done.returncode, "there is no virtual IP yet" in done.stdout) == (0, True), done.stderr
    assert asked == [f"CONNECT 127.0.0.1:{api.port} HTTP/1.0"] or asked == [f"CONNECT 127.0.0.1:{api.port} HTTP/1.1"]
    socks = changed(api, tmp_path, lambda cluster, _: cluster.update({"proxy-url": "socks5://127.0.0.1:1080"}))
    refused = vipa(socks, "status")
    assert (refused.returncode, "only http:// ones" in refused.stderr) == (3, True), refused.stderr
