"""Which cluster, and as whom: kubeconfig files, Pods, tokens, exec plugins, and what is said when it is not so."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from vipa_cli.cluster.errors import ClusterError
from vipa_cli.cluster.kubeconfig import Access, default_files, find_access
from vipa_cli.cluster.login import log_in

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: lab
contexts:
- {name: lab, context: {cluster: here, user: me}}
- {name: other, context: {cluster: there, user: me}}
- {name: broken, context: {cluster: nowhere}}
- {name: nobody, context: {cluster: here}}
clusters:
- name: here
  cluster: {server: "https://10.9.0.1:6443/", certificate-authority: ca.pem, tls-server-name: kubernetes}
- name: there
  cluster: {server: "https://there.example:443/prefix", insecure-skip-tls-verify: true, proxy-url: "http://proxy:3128"}
users:
- name: me
  user: {token: secret}
"""


def write(folder: Path, text: str = KUBECONFIG, name: str = "config") -> Path:
    (folder / "ca.pem").write_text("PEM of the CA")
    path = folder / name
    path.write_text(text)
    return path


def access_of(user: dict[str, Any], folder: Path = Path()) -> Access:
    return Access("https://x", "context lab of config", user=user, folder=folder)


def test_current_context(tmp_path: Path) -> None:
    access = find_access(write(tmp_path))
    assert (access.server, access.ca, access.server_name) == ("https://10.9.0.1:6443", "PEM of the CA", "kubernetes")
    assert access.verify
    assert log_in(access)[1] == {"Authorization": "Bearer secret"}


def test_a_context_by_name(tmp_path: Path) -> None:
    access = find_access(write(tmp_path), "other")
    assert (access.server, access.proxy) == ("https://there.example:443/prefix", "http://proxy:3128")
    assert not access.verify
    assert log_in(find_access(write(tmp_path), "nobody"))[1] == {}


def test_json_is_read_too(tmp_path: Path) -> None:
    document = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "b", "user": "c"}}],
        "clusters": [{"name": "b", "cluster": {"server": "http://127.0.0.1:8001"}}],
        "users": [{"name": "c", "user": {"client-key-data": base64.b64encode(b"PEM of the key").decode()}}],
    }
    assert find_access(write(tmp_path, json.dumps(document))).key == "PEM of the key"


def test_of_several_files_the_first_that_says_something_counts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = write(tmp_path / "a", "current-context: other\nusers: [{name: me, user: {token: first}}]\n")
    second = write(tmp_path)
    access = find_access(environment={"KUBECONFIG": f"{first}:{tmp_path / 'missing'}:{second}"})
    assert access.server == "https://there.example:443/prefix"
    assert log_in(access)[1] == {"Authorization": "Bearer first"}
    assert default_files({"HOME": str(tmp_path), "KUBECONFIG": "missing"}) == []


def test_in_a_pod(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("from the kubelet\n")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    access = find_access(environment=environment, account=tmp_path)
    assert (access.server, access.ca) == ("https://[fd00::1]:443", "CA")
    assert log_in(access)[1] == {"Authorization": "Bearer from the kubelet"}


@pytest.mark.parametrize(
    ("text", "context", "says"),
    [
        ("{", "", "cannot be read"),
        ("a: [", "", "cannot be read"),
        ("just words", "", "is no kubeconfig"),
        ("{}", "", "has no current-context"),
        (KUBECONFIG, "lap", "has no context 'lap'; it has: lab, other, broken, nobody"),
        (KUBECONFIG, "broken", "has no cluster 'nowhere'; it has: here, there"),
        (KUBECONFIG.replace('"https://10.9.0.1:6443/"', "10.9.0.1"), "", "no server such as https://"),
        (KUBECONFIG.replace("certificate-authority: ca.pem", "certificate-authority-data: '%'"), "", "is not base64"),
        (KUBECONFIG.replace("ca.pem", "gone.pem"), "", "gone.pem: No such file"),
    ],
)
def test_what_is_wrong_is_said(text: str, context: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as raised:
        find_access(write(tmp_path, text), context)
    assert says in str(raised.value)


def test_no_cluster_at_all(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"there is no ~/\.kube/config; give --kubeconfig FILE, or --agent"):
        find_access(environment={"HOME": str(tmp_path)})
    with pytest.raises(ClusterError, match=r"\$KUBECONFIG names missing, which does not exist"):
        find_access(environment={"KUBECONFIG": "missing"})


def test_a_token_file_counts_more_than_a_token(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("newer\n")
    assert log_in(access_of({"token": "old", "tokenFile": "t"}, tmp_path))[1]["Authorization"] == "Bearer newer"
    with pytest.raises(ClusterError, match="cannot read the token file"):
        log_in(access_of({"tokenFile": "gone"}, tmp_path))


def test_other_ways_to_log_in() -> None:
    assert log_in(access_of({"username": "a", "password": "b"}))[1] == {"Authorization": "Basic YTpi"}
    assert log_in(access_of({"token": "t", "as": "eve"}))[1]["Impersonate-User"] == "eve"
    with pytest.raises(ClusterError, match="use an exec plugin"):
        log_in(access_of({"auth-provider": {"name": "gcp"}}))


def plugin(folder: Path, body: str, **more: object) -> Access:
    script = folder / "login"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    script.chmod(0o755)
    return access_of({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login", **more}}, folder)


def test_an_exec_plugin_logs_in(tmp_path: Path) -> None:
    body = (
        "said = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "token = ' '.join([os.environ['WHO'], sys.argv[1], said['spec']['cluster']['server']])\n"
        "print(json.dumps({'status': {'token': token}}))"
    )
    access = plugin(tmp_path, body, args=["word"], env=[{"name": "WHO", "value": "me"}], provideClusterInfo=True)
    assert log_in(access)[1] == {"Authorization": "Bearer me word https://x"}


def test_an_exec_plugin_gives_a_certificate(tmp_path: Path) -> None:
    body = "print(json.dumps({'status': {'clientCertificateData': 'C', 'clientKeyData': 'K'}}))"
    access, headers = log_in(plugin(tmp_path, body))
    assert (access.certificate, access.key, headers) == ("C", "K", {})


@pytest.mark.parametrize(
    ("body", "more", "says"),
    [
        ("sys.exit(4)", {}, "ended with exit code 4"),
        ("print('hello')", {}, "printed no ExecCredential"),
        ("print('{\"status\": {}}')", {}, "gave neither token nor certificate"),
        ("", {"command": "no-such-program", "installHint": "install it"}, "No such file or directory; install it"),
        ("", {"apiVersion": "v0"}, "exec apiVersion 'v0' is unknown"),
    ],
)
def test_an_exec_plugin_that_does_not_help(body: str, more: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ClusterError) as raised:
        log_in(plugin(tmp_path, body, **more))
    assert says in str(raised.value)
