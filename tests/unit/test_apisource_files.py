"""What the API source reads from files: kubeconfig, service account, the last plan; and what the command line says."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from vipa.errors import ConfigError
from vipa.plan import CheckKind, Endpoint, HealthCheck, Plan, PlannedVip, Policy
from vipa_agent.settings import parse
from vipa_agent.sources.api.config import ApiConfig, from_kubeconfig, in_cluster
from vipa_agent.sources.api.lastplan import PLAN_NAME, Kept, LastPlanError, OtherBootError, boot_id, load, save
from vipa_agent.sources.api.source import ApiSource

CHECK = HealthCheck(CheckKind.HTTP, 80, "/ready")
PLAN = Plan(
    7,
    (PlannedVip("erp", ("10.1.1.7",), (Endpoint("10.1.1.4", "w1", "eth1"),), Policy(failback_delay_s=1.5), (CHECK,)),),
)
BOOT = "83d7f6c2-4d0c-4a57-9d36-2f1d5f1b6a10"


def test_the_last_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load(tmp_path, "w1", BOOT) is None
    save(tmp_path / "new", "w1", BOOT, Kept("uid", PLAN))
    assert load(tmp_path / "new", "w1", BOOT) == Kept("uid", PLAN)
    save(tmp_path / "new", "w1", BOOT, Kept("uid", Plan(8)))
    assert load(tmp_path / "new", "w1", BOOT) == Kept("uid", Plan(8))
    assert [path.name for path in (tmp_path / "new").iterdir()] == [PLAN_NAME]


def test_no_byte_of_the_last_plan_may_differ(tmp_path: Path) -> None:
    save(tmp_path, "w1", BOOT, Kept("uid", PLAN))
    path = tmp_path / PLAN_NAME
    good = path.read_bytes().rstrip()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        try:
            read = load(tmp_path, "w1", BOOT)
        except LastPlanError:
            continue
        assert read == Kept("uid", PLAN), f"byte {at}"
    for torn in (b"", b"{}", good[: len(good) // 2], b"\xff\xfe", b'{"checksum": "", "content": []}'):
        path.write_bytes(torn)
        with pytest.raises(LastPlanError, match="damaged"):
            load(tmp_path, "w1", BOOT)


def test_the_last_plan_of_another_node_is_refused(tmp_path: Path) -> None:
    save(tmp_path, "w1", BOOT, Kept("uid", PLAN))
    with pytest.raises(LastPlanError, match="is of node w1, this is w2"):
        load(tmp_path, "w2", BOOT)


def test_a_plan_from_before_the_node_was_started_is_refused(tmp_path: Path) -> None:
    """Others may have been given its addresses since: an agent that serves by it would claim them back."""
    save(tmp_path, "w1", BOOT, Kept("uid", PLAN))
    with pytest.raises(OtherBootError, match="from before this node was started"):
        load(tmp_path, "w1", "0c6f1f0e-2a73-4c43-a5c0-2c1b3a4d5e6f")
    assert load(tmp_path, "w1", BOOT) == Kept("uid", PLAN)


def test_a_reboot_is_told_once_and_the_agent_waits(tmp_path: Path) -> None:
    save(tmp_path, "w1", boot_id(), Kept("uid", PLAN))
    source = ApiSource(ApiConfig("https://h"), "w1", tmp_path, lambda: None)
    assert source.first() == PLAN, "the agent was started again, not the node"
    save(tmp_path, "w1", BOOT, Kept("uid", PLAN))
    with capture_logs() as said:
        source = ApiSource(ApiConfig("https://h"), "w1", tmp_path, lambda: None)
        assert source.first() is None
        assert source.first() is None
    assert [(entry["event"], entry["log_level"]) for entry in said] == [("last plan not used", "info")]
    assert "waiting for the API" in said[0]["detail"]


def kubeconfig(path: Path, user: object, cluster: object, **more: object) -> Path:
    document = {
        "current-context": "here",
        "contexts": [{"name": "there"}, {"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(document | more))
    return path


def test_a_kubeconfig_with_files_or_with_data(tmp_path: Path) -> None:
    path = tmp_path / "config"
    cluster = {"server": "https://10.1.1.1:6443/", "certificate-authority": "ca.crt"}
    found = from_kubeconfig(kubeconfig(path, {"tokenFile": "/abs/token"}, cluster))
    assert found == ApiConfig("https://10.1.1.1:6443", tmp_path / "ca.crt", Path("/abs/token"))
    data = base64.b64encode(b"PEM").decode()
    user = {"client-certificate-data": data, "client-key": "key.pem", "token": "secret"}
    inline = {"server": "http://h", "certificate-authority-data": data, "tls-server-name": "api"}
    found = from_kubeconfig(kubeconfig(path, user, inline | {"insecure-skip-tls-verify": True}))
    assert found == ApiConfig("http://h", b"PEM", b"secret", b"PEM", tmp_path / "key.pem", False, "api")


GOOD = {"server": "https://h"}


@pytest.mark.parametrize(
    ("user", "cluster", "more", "message"),
    [
        ({"exec": {}}, GOOD, {}, "logs in by exec; an agent needs a token"),
        ({}, {"server": "h"}, {}, "no server such as https://10.1.1.1:6443, but 'h'"),
        ({}, GOOD, {"current-context": "away"}, "names the context 'away', but has none"),
        ({}, GOOD, {"current-context": ""}, "has no current-context"),
        ({}, GOOD, {"clusters": None}, "names the cluster 'c', but has none"),
        ({}, GOOD | {"certificate-authority-data": "?"}, {}, "certificate-authority-data is not base64"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    tmp_path: Path, user: object, cluster: object, more: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=r"--kubeconfig: .*config") as refused:
        from_kubeconfig(kubeconfig(tmp_path / "config", user, cluster, **more))
    assert message in str(refused.value)


def test_no_kubeconfig_at_all(tmp_path: Path) -> None:
    for text, message in (("{", "is no YAML"), ("[]", "has no clusters, users and contexts")):
        (tmp_path / "config").write_text(text)
        with pytest.raises(ConfigError, match=message):
            from_kubeconfig(tmp_path / "config")
    with pytest.raises(ConfigError, match=r"cannot read .*: No such file"):
        from_kubeconfig(tmp_path / "none")


def test_a_pods_service_account(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    assert in_cluster(environment, tmp_path) == ApiConfig(
        "https://[fd00::1]:6443", tmp_path / "ca.crt", tmp_path / "token"
    )
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_HOST is not set; elsewhere give --kubeconfig"):
        in_cluster({}, tmp_path)
    with pytest.raises(ConfigError, match=r"there is no .*/none/token"):
        in_cluster(environment, tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "one of the arguments --manifests --api is required"),
        (["--manifests", "/", "--api"], "not allowed with argument"),
        (["--manifests", "/", "--kubeconfig", "f"], "--kubeconfig goes with --api"),
        (["--api"], "--api: heartbeats need a key"),
    ],
)
def test_exactly_one_source(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--node", "w1", *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_an_agent_without_the_api_does_not_pay_for_it() -> None:
    code = (
        "import sys, vipa_agent.main, vipa_agent.agent, vipa_agent.sources.planned, vipa_agent.sources.api.source; "
        "sys.exit('aiohttp' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
