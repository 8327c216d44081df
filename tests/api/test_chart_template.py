"""What the chart makes of values, without a cluster; and the files that are made from it or for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from vipa import __version__
from vipa_agent.bgp.settings import DEFAULT_DIR
from vipa_agent.settings import parser as agent_parser
from vipa_lab.kube.helm import CHART, Helm, HelmError
from vipa_operator.settings import parser as operator_parser

ROOT: Final = Path(__file__).parents[2]
Object = dict[str, Any]
DIGEST: Final = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(tmp_path_factory.mktemp("helm"))


def pick(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def pod_of(workload: Object) -> Object:
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for each in objects:
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each["spec"]
        elif "template" in each.get("spec", {}):
            yield each["metadata"]["name"], pod_of(each)


def expanded(container: Object) -> list[str]:
    """Arguments with $(NAME) filled in, as a kubelet does."""
    given = container["args"]
    for variable in container["env"]:
        given = [word.replace(f"$({variable['name']})", "10.1.1.1") for word in given]
    assert not [word for word in given if "$(" in word]
    return list(given)


def test_lint(helm: Helm) -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(CHART))


def test_agents_have_two_capabilities_and_survive_what_nodes_go_through(helm: Helm) -> None:
    agent = pick(helm.template(), "DaemonSet", "vipa-agent")
    assert agent["spec"]["updateStrategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    pod = pod_of(agent)
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    assert security["readOnlyRootFilesystem"] is True
    assert security["privileged"] is security["allowPrivilegeEscalation"] is False
    # A named port would be the host's, and a second pod of an upgrade could never come to its node.
    assert pod["hostNetwork"] is True
    assert "ports" not in container
    assert pod["priorityClassName"] == "system-node-critical"
    lasting = {each["key"] for each in pod["tolerations"] if "tolerationSeconds" not in each}
    ends = ("control-plane", "not-ready", "unreachable")
    assert all(any(key.endswith(end) for key in lasting) for end in ends)
    assert "cpu" not in container["resources"]["limits"]


def test_everything_but_the_agent_runs_without_any_right_on_its_node(helm: Helm) -> None:
    objects = [*helm.template(), *helm.template("heartbeatKey.madeBy=Job")]
    others = {name: pod for name, pod in pods(objects) if name != "vipa-agent"}
    assert len(others) == 3
    for pod in others.values():
        (container,) = pod["containers"]
        security = container["securityContext"]
        assert security["runAsNonRoot"] is security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not pod.get("hostNetwork")
        assert not pod.get("volumes")


def test_programs_understand_their_arguments(helm: Helm) -> None:
    objects = helm.template("clusterName=office", "agent.logFormat=text")
    (agent,) = pod_of(pick(objects, "DaemonSet", "vipa-agent"))["containers"]
    given = agent_parser().parse_args(expanded(agent))
    assert (given.node, given.api, given.cluster, given.metrics) == ("10.1.1.1", True, "office", "[10.1.1.1]:9117")
    mounts = {each["mountPath"] for each in agent["volumeMounts"]}
    assert {str(given.state_dir), str(given.key_file.parent)} == mounts
    (operator,) = pod_of(pick(objects, "Deployment", "vipa-operator"))["containers"]
    assert operator_parser().parse_args(expanded(operator)).listen == ":9118"
    assert operator["ports"][0]["containerPort"] == 9118


def test_agents_reach_frr_when_asked_to(helm: Helm) -> None:
    where = ("agent.bgp.enabled=true", "agent.bgp.dir=/var/run/frr", "agent.bgp.group=108")
    pod = pod_of(pick(helm.template(*where), "DaemonSet", "vipa-agent"))
    (container,) = pod["containers"]
    assert agent_parser().parse_args(expanded(container)).bgp == "frr"
    (mount,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "frr")
    assert mount == str(DEFAULT_DIR)
    assert {"path": "/var/run/frr", "type": "DirectoryOrCreate"} in [each.get("hostPath") for each in pod["volumes"]]
    assert pod["securityContext"] == {"supplementalGroups": [108]}


def test_a_group_of_a_large_number_is_written_out(helm: Helm, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"  # from a file numbers are floats to helm, by --set they are not
    values.write_text("agent: {bgp: {enabled: true, group: 1234567890}}\n")
    text = helm.run("template", "vipa", str(CHART), f"--values={values}", "--show-only=templates/agent.yaml")
    assert "{supplementalGroups: [1234567890]}" in text


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ((), f"vipa:{__version__}"),
        (("image.repository=registry.example:5000/net/vipa", "image.tag=1.2"), "registry.example:5000/net/vipa:1.2"),
        (("image.repository=r.example/vipa", "image.tag=1.2", f"image.digest={DIGEST}"), f"r.example/vipa@{DIGEST}"),
    ],
)
def test_every_pod_runs_the_image_asked_for(helm: Helm, values: tuple[str, ...], image: str) -> None:
    objects = helm.template("image.pullSecrets={mine}", *values)
    for _, pod in pods(objects):
        assert [container["image"] for container in pod["containers"]] == [image]
        assert pod["imagePullSecrets"] == [{"name": "mine"}]


@pytest.mark.parametrize(
    ("values", "there", "absent"),
    [
        # No Secret: without a cluster to look into, each rendering would bring another key.
        ((), {"CustomResourceDefinition", "ValidatingAdmissionPolicy"}, {"Secret", "Job", "Namespace", "Service"}),
        (("heartbeatKey.existingSecret=mine",), {"DaemonSet"}, {"Secret", "Job"}),
        (("heartbeatKey.madeBy=Job",), {"Job"}, {"Secret"}),
        (("crds.install=false", "admissionPolicy.enabled=false"), {"DaemonSet"},
         {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}),
        (("namespace.create=true",), {"Namespace"}, set()),
        (("serviceMonitor.enabled=true",), {"ServiceMonitor", "Service"}, set()),
    ],
)  # fmt: skip
def test_switches(helm: Helm, values: tuple[str, ...], there: set[str], absent: set[str]) -> None:
    kinds = {each["kind"] for each in helm.template(*values)}
    assert there <= kinds
    assert not absent & kinds


def test_the_key_is_a_file_the_agent_reads(helm: Helm) -> None:
    agent = pick(helm.template("heartbeatKey.existingSecret=mine"), "DaemonSet", "vipa-agent")
    secrets = {each["name"]: each["secret"] for each in pod_of(agent)["volumes"] if "secret" in each}
    ((volume, secret),) = secrets.items()
    assert secret["secretName"] == "mine"
    (container,) = pod_of(agent)["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == volume]
    assert "subPath" not in mount, "a Secret that changes would never reach a running agent"
    given = agent_parser().parse_args(expanded(container))
    assert str(given.key_file) == f"{mount['mountPath']}/{secret['items'][0]['path']}"


def test_monitoring_finds_both_programs(helm: Helm) -> None:
    objects = helm.template("serviceMonitor.enabled=true", "serviceMonitor.labels.release=prometheus")
    monitor = pick(objects, "ServiceMonitor", "vipa")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    services = [each for each in objects if each["kind"] == "Service"]
    assert {each["metadata"]["name"] for each in services if wanted <= each["metadata"]["labels"].items()} == {
        "vipa-agent-metrics",
        "vipa-operator-metrics",
    }
    without = helm.template("serviceMonitor.enabled=true", "agent.metrics.enabled=false")
    assert "--metrics" not in str(pick(without, "DaemonSet", "vipa-agent"))
    assert len([each for each in without if each["kind"] == "Service"]) == 1


# Refused together, as Helm names all that is wrong: of each field one value in a round.
BAD: Final = (
    (
        ("replicas=3", "at ''", "'replicas' not allowed"),
        ("agent.replicas=3", "/agent", "'replicas' not allowed"),
        ("agent.port=70000", "/agent/port", "got 70,000, want 65,535"),
        ("agent.stateDir=var", "/agent/stateDir", "does not match pattern"),
        ("agent.maxSurge=0", "/agent/maxSurge", "got 0, want 1"),
        ("agent.logFormat=xml", "/agent/logFormat", "one of 'json', 'text'"),
        ("operator.replicas=0", "/operator/replicas", "got 0, want 1"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy", "one of 'Always', 'IfNotPresent', 'Never'"),
        ("image.digest=sha256:12", "/image/digest", "does not match pattern"),
        ("clusterName=", "/clusterName", "does not match pattern"),
        ("heartbeatKey.madeBy=Me", "/heartbeatKey/madeBy", "one of 'Release', 'Job'"),
        ("heartbeatKey.ids={k1,k1}", "/heartbeatKey/ids", "items at 0 and 1 are equal"),
        ("serviceMonitor.interval=often", "/serviceMonitor/interval", "does not match pattern"),
        ("crds.keep=perhaps", "/crds/keep", "got string, want boolean"),
        ("agent.tolerations[0].for=1", "/agent/tolerations/0", "'for' not allowed"),
    ),
    (
        ("agent.port=none", "/agent/port", "got string, want integer"),
        ("agent.maxSurge=0%", "/agent/maxSurge", "does not match pattern"),
        ("heartbeatKey.ids={a:b}", "/heartbeatKey/ids/0", "does not match pattern"),
        ("heartbeatKey.existingSecret=A", "/heartbeatKey/existingSecret", "does not match pattern"),
        ("image.tag=1", "/image/tag", "got number, want string"),
    ),
)


@pytest.mark.parametrize("bad", BAD, ids=("one", "two"))
def test_a_bad_value_is_refused_by_its_name(helm: Helm, bad: tuple[tuple[str, str, str], ...]) -> None:
    with pytest.raises(HelmError) as refused:
        helm.template(*(value for value, _, _ in bad))
    lines = str(refused.value).splitlines()
    for value, field, says in bad:
        assert [line for line in lines if field in line and says in line], f"{value}: {refused.value}"


def test_an_old_cluster_is_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match=r"requires kubeVersion: >=1\.32\.0-0"):
        helm.run("template", "vipa", str(CHART), "--kube-version=1.31.4")


def test_every_value_has_a_description_and_every_description_a_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(described: Object, given: object, path: str) -> None:
        assert described.get("description") or not path, path
        if "properties" in described and isinstance(given, dict):
            assert described["additionalProperties"] is False, path
            assert described["properties"].keys() - {"global"} == given.keys() or path.endswith("resources"), path
            for name, value in given.items():
                if not path.endswith("resources"):
                    compare(described["properties"][name], value, f"{path}/{name}")

    compare(schema, values, "")


@pytest.mark.parametrize("tool", ["install_yaml", "image_lock"])
def test_made_files_are_up_to_date(tool: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / tool), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_install_yaml_has_no_key_and_says_nothing_of_helm() -> None:
    text = (ROOT / "install.yaml").read_text()
    objects = list(yaml.safe_load_all(text))
    assert "Secret" not in {each["kind"] for each in objects}
    assert "helm" not in text.lower().replace("helm test", "")
    assert pick(objects, "Namespace", "vipa-system")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    assert objects[0]["kind"] == "Namespace"


def test_the_images_packages_are_all_that_its_programs_need(tmp_path: Path) -> None:
    """A folder as the Dockerfile makes it, of links, and Python with nothing else."""
    site = Path(yaml.__file__).parents[1]
    names = {line.split("==")[0].replace("-", "_") for line in lock_lines()}
    for folder in site.glob("*.dist-info"):
        if folder.name.split("-")[0].lower() in names:
            for line in (folder / "RECORD").read_text().splitlines():
                top = line.split("/")[0].split(",")[0]
                if top not in ("..", "__pycache__") and not (tmp_path / top).exists():
                    (tmp_path / top).symlink_to(site / top)
    for package in ("core/vipa", "nodeagent/vipa_agent", "operator/vipa_operator"):
        assert f"COPY {package} /opt/vipa/{Path(package).name}" in (ROOT / "Dockerfile").read_text()
        (tmp_path / Path(package).name).symlink_to(ROOT / package)
    program = (
        "import pkgutil, importlib, vipa, vipa_agent, vipa_operator\n"
        "for package in (vipa, vipa_agent, vipa_operator):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def lock_lines() -> list[str]:
    return [line for line in (ROOT / "requirements-image.lock").read_text().splitlines() if "==" in line]
