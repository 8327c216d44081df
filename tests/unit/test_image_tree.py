"""What the image carries: tools/image_tree on a copy of this Python's own packages, and what is left put to use."""

import base64
import functools
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements-image.lock"
# Two minutes on a machine that does a hundred other things; seconds on any other.
PATIENCE_S = 120.0

LOGIN = """
import json, os, sys
from pathlib import Path
from vipa_operator import login
found = {}
for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
    one = login.login(path)
    found[path.stem] = [one.server, one.scheme, one.token, bool(one.certificate_path and one.private_key_path)]
login.SERVICE_TOKEN_FILENAME, login.SERVICE_CERT_FILENAME = sys.argv[2:]
os.environ.update(KUBERNETES_SERVICE_HOST="10.0.0.1", KUBERNETES_SERVICE_PORT="443")
one = login.login(None)
found["pod"] = [one.server, one.scheme, one.token, one.ca_path == sys.argv[3]]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("image_tree", str(ROOT / "tools/image_tree"))
    spec = importlib.util.spec_from_loader("image_tree", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tree(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the Dockerfile makes it, but not compiled."""
    folder = tmp_path_factory.mktemp("image")
    pip_install(folder)
    for package in ("core/vipa", "nodeagent/vipa_agent", "operator/vipa_operator"):
        shutil.copytree(ROOT / package, folder / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    tool.leave_out(folder)
    return folder


def pip_install(folder: Path) -> None:
    """The packages of requirements-image.lock, as they are installed here."""
    site = Path(yaml.__file__).parents[1]
    names = {name.replace("-", "_") for name in re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.MULTILINE)}
    infos = [info for info in site.glob("*.dist-info") if info.name.split("-")[0].lower() in names]
    assert len(infos) == len(names)
    for info in infos:
        tops = {line.split(",")[0].split("/")[0] for line in (info / "RECORD").read_text().splitlines()}
        for top in tops - {"..", "__pycache__"}:
            copy: Callable[..., object] = shutil.copy2
            if (site / top).is_dir():
                skip = shutil.ignore_patterns("__pycache__")
                copy = functools.partial(shutil.copytree, ignore=skip, dirs_exist_ok=True)
            copy(site / top, folder / top)


def python(tree: Path, *words: str) -> str:
    """What Python prints with these packages and no others."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", *words]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=tree
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_most_of_the_weight_is_left_out(tree: Path) -> None:
    megabytes = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) / 1e6
    # 34 when this was written, 108 as pip leaves it.
    assert 10 < megabytes < 45
    assert not list(tree.rglob("*_test.py"))
    assert len(list((tree / "kubernetes/client/models").glob("*.py"))) < 20


def test_licences_and_metadata_stay(tree: Path) -> None:
    infos = list(tree.glob("*.dist-info"))
    assert len(infos) == len(re.findall("==", LOCK.read_text()))
    assert all((info / "METADATA").is_file() for info in infos)
    site = Path(yaml.__file__).parents[1]
    kept, had = (
        {str(path.relative_to(top)) for info in infos for path in (top / info.name).rglob("LICEN*")}
        for top in (tree, site)
    )
    assert kept == had
    assert len(kept) > 20


def test_programs_start(tree: Path) -> None:
    for name in ("agent", "operator"):
        said = python(tree, "-c", f"import sys\nfrom vipa_{name}.main import main\nsys.argv[1:] = ['--help']\nmain()")
        assert f"vipa-{name}" in said or "usage" in said


def test_every_way_to_log_in_is_left(tree: Path, tmp_path: Path) -> None:
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "ran"}}
    program = tmp_path / "credential"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n")
    program.chmod(0o755)
    (tmp_path / "token").write_text("of a file")
    (tmp_path / "ca").write_text("a certificate")
    pem = base64.b64encode(b"never looked into here").decode()
    # An OpenID Connect token that ends in the year 2286: two parts are read, nobody asks who signed.
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 9_999_999_999}).encode()).decode().rstrip("=")
    jwt = f"e30.{claims}.c2lnbmVk"
    provider = {"client-id": "vipa", "id-token": jwt, "idp-issuer-url": "https://issuer.example"}
    users: dict[str, dict[str, object]] = {
        "token": {"token": "plain"},
        "token-file": {"tokenFile": str(tmp_path / "token")},
        "certificate": {"client-certificate-data": pem, "client-key-data": pem},
        "program": {
            "exec": {"apiVersion": credential["apiVersion"], "command": str(program), "interactiveMode": "Never"}
        },
        "openid": {"auth-provider": {"name": "oidc", "config": provider}},
        "password": {"username": "name", "password": "word"},
    }
    for name, user in users.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(kubeconfig(user)))
    found = json.loads(python(tree, "-c", LOGIN, str(tmp_path), str(tmp_path / "token"), str(tmp_path / "ca")))
    basic = base64.b64encode(b"name:word").decode()
    assert found == {
        "token": ["https://api.example:6443", "Bearer", "plain", False],
        "token-file": ["https://api.example:6443", "Bearer", "of a file", False],
        "certificate": ["https://api.example:6443", None, None, True],
        "program": ["https://api.example:6443", "Bearer", "ran", False],
        "openid": ["https://api.example:6443", "Bearer", jwt, False],
        "password": ["https://api.example:6443", "Basic", basic, False],
        "pod": ["https://10.0.0.1:443", "Bearer", "of a file", True],
    }


def kubeconfig(user: dict[str, object]) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": "https://api.example:6443"}}],
        "users": [{"name": "it", "user": user}],
    }


def test_docker_is_sent_what_the_dockerfile_copies() -> None:
    copied = set(re.findall(r"^COPY (?!--from)(\S+) ", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    sent = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_a_tree_that_lacks_a_package_fails_the_build(tool: ModuleType, tree: Path) -> None:
    (tree / "iso8601").rename(tree / "away")
    try:
        with pytest.raises(SystemExit, match="iso8601"):
            tool.leave_out(tree)
    finally:
        (tree / "away").rename(tree / "iso8601")
