"""The cluster commands about a cluster as a whole: check, support-bundle, and observe, which looks at the wire too."""

import json
import tarfile
import time
from pathlib import Path
from typing import Final

from vipa_lab.kube.accounts import SYSTEM
from vipa_lab.kube.relay import Relay
from vipa_lab.kube.story import BIN, PATHS, Story
from vipa_lab.lab import Lab

OBSERVED_S: Final = 60.0


def agent_pods(story: Story, *nodes: str) -> None:
    objects = story.objects
    objects.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named("vipa-agent")})
    for node in nodes:
        variables = [{"name": "PROXY_PASSWORD", "value": "hunter2"}]
        container = {"name": "agent", "image": "vipa.invalid/agent", "env": variables}
        spec = {"nodeName": node, "serviceAccountName": "vipa-agent", "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": _named(f"vipa-agent-{node}"), "spec": spec}
        objects.apply(pod)
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        objects.patch("pods", f"vipa-agent-{node}", {"status": ready}, "status", namespace=SYSTEM)


def _named(name: str) -> dict[str, str]:
    return {"name": name, "namespace": SYSTEM}


def key_secret(story: Story) -> None:
    """As kubectl applies it, which keeps what it was told in an annotation."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": _named("vipa-heartbeat-key")}
    story.api.kubectl.apply(json.dumps(secret | {"stringData": {"key": "k1:5ec2e7c0ffee5ec2"}}))


def test_check_of_the_cluster(story: Story) -> None:
    bare = story.vipa("check")
    assert bare.returncode == 1
    assert "fail  agents' pods: no agent is ready on w1, w2, w3, w4" in bare.stdout
    assert "fail  heartbeat key" in bare.stdout
    agent_pods(story, "w1", "w2", "w3", "w4")
    key_secret(story)
    done = story.vipa("check", "-o", "json", program="kubectl-vipa")
    found = {each["check"]: each["level"] for each in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert found == {
        "server": "ok",
        "types": "ok",
        "operator": "ok",
        "agents": "ok",
        "agents' pods": "ok",
        "excluded": "warn",
        "versions": "ok",
        "heartbeat key": "ok",
        "statuses": "ok",
        "virtual IPs": "warn",
    }
    story.change("PATCH", f"{PATHS['VirtualIPNode']}/w1", {"spec": {"epoch": 6}})
    stale = story.vipa("check")
    assert "the agent on w1 works by plan 5, and the operator has given 6" in stale.stdout


def test_support_bundle_has_everything_but_secrets(story: Story, tmp_path: Path) -> None:
    agent_pods(story, "w1")
    key_secret(story)
    file = tmp_path / "bundle.tar.gz"
    done = story.vipa("support-bundle", "-f", str(file), "-o", "json")
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as archive:
        texts = {m.name.partition("/")[2]: _text(archive, m) for m in archive.getmembers()}
    for name in ("versions.json", "check.json", "status.json", "objects/virtualips.json", "objects/crds.json"):
        assert json.loads(texts[name]), name
    assert (
        json.loads(texts["objects/pods.json"])["items"][0]["spec"]["containers"][0]["env"][0]["value"] == "(left out)"
    )
    whole = "\n".join(texts.values())
    for secret in ("hunter2", "5ec2e7c0ffee5ec2", "azE6NWVjMmU3YzBmZmVlNWVjMg", "last-applied-configuration"):
        assert secret not in whole
    # There is no kubelet that has logs: that is told, and no reason to give up.
    assert "log of vipa-agent-w1/agent" in texts["errors.txt"]
    assert json.loads(done.stdout)["errors"]
    assert story.vipa("support-bundle", "-f", str(tmp_path / "no" / "x")).returncode == 3


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    assert file is not None
    return file.read().decode()


def test_observe_compares_the_wire_with_the_cluster(story: Story, lab: Lab) -> None:
    lan = lab.add_switch()
    client, right, wrong = (lab.add_station(name) for name in ("c1", "w1", "w2"))
    client.add_nic(lan, "10.1.1.100/24")
    right.add_nic(lan, "10.1.1.4/24")
    wrong.add_nic(lan, "10.1.1.6/24")
    lab.settle()
    with Relay(client, story.api) as relay:
        config = story.api.kubeconfig("admin", ["system:masters"], server=relay.url)

        def observe(code: int, says: str) -> None:
            words = [str(BIN / "vipa"), "observe", "erp", "--seconds", "0.5", "--kubeconfig", str(config)]
            deadline = time.monotonic() + OBSERVED_S
            while True:
                process = client.start(["sh", "-c", f"{' '.join(words)}; echo exit $?"], "observe")
                process.wait(OBSERVED_S)
                text = process.output()
                if f"exit {code}\n" in text and says in text:
                    return
                # A busy machine may take longer than half a second for an answer.
                assert time.monotonic() < deadline, text

        observe(1, "nobody answers")
        right.run(["ip", "address", "add", "10.1.1.7/32", "dev", "eth1"])
        observe(0, "(10.1.1.4) answers, as declared")
        right.run(["ip", "address", "del", "10.1.1.7/32", "dev", "eth1"])
        wrong.run(["ip", "address", "add", "10.1.1.7/32", "dev", "eth1"])
        observe(1, "(10.1.1.6) answers, but 10.1.1.4 is elected")
