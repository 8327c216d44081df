"""kubectl-vipa in one file: complete, the same each time, and packed for Krew with the right checksum."""

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[2]
URL: Final = "https://downloads.example.org/vipa/kubectl-vipa.tar.gz"


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("zipapp") / "kubectl-vipa"
    done = run(sys.executable, "tools/zipapp", target)
    assert done.returncode == 0, done.stderr
    return target


# -I -S: neither the environment nor anything that is installed.
ALONE: Final = (sys.executable, "-I", "-S")


def test_every_module_loads_from_it_alone(program: Path) -> None:
    names = [n.removesuffix(".py").replace("/", ".") for n in zipfile.ZipFile(program).namelist() if n.endswith(".py")]
    modules = [n.removesuffix(".__init__") for n in names if n not in ("__main__", "yaml.cyaml")]
    assert "vipa_cli.cluster.bundle" in modules
    code = (
        f"import sys, importlib; sys.path.insert(0, {str(program)!r}); [importlib.import_module(m) for m in {modules}]"
    )
    done = run(*ALONE, "-c", code)
    assert done.returncode == 0, done.stderr


def test_it_has_the_cluster_commands_only(program: Path) -> None:
    done = run(*ALONE, program, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: kubectl vipa")
    for command in ("status", "explain", "timeline", "move", "drain", "nexthops", "check", "support-bundle"):
        assert command in done.stdout
    assert "demo" not in done.stdout


def test_it_says_what_is_wrong_with_a_kubeconfig(program: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("current-context: lab\ncontexts: []\n")
    done = run(*ALONE, program, "status", "--kubeconfig", config)
    assert (done.returncode, "has no context 'lab'; it has: none" in done.stderr) == (3, True), done.stderr


def test_the_same_sources_give_the_same_bytes(program: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run(sys.executable, "tools/zipapp", again)
    assert again.read_bytes() == program.read_bytes()


def test_krew_manifest_names_the_checksum() -> None:
    done = run(sys.executable, "tools/krew", URL, "https://vipa.example.org")
    assert done.returncode == 0, done.stderr
    folder = ROOT / "build" / "krew"
    manifest = yaml.safe_load((folder / "vipa.yaml").read_text())
    packed = folder / "kubectl-vipa.tar.gz"
    (platform,) = manifest["spec"]["platforms"]
    assert platform["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert (platform["uri"], manifest["spec"]["homepage"]) == (URL, "https://vipa.example.org")
    with tarfile.open(packed) as archive:
        assert {entry["from"] for entry in platform["files"]} == set(archive.getnames())
        assert archive.getmember(platform["bin"]).mode == 0o755
    assert "{{" not in (folder / "vipa.yaml").read_text()


def test_krew_wants_to_know_where_it_is_going_to_be() -> None:
    assert run(sys.executable, "tools/krew").returncode == 2
    assert run(sys.executable, "tools/krew", "ftp://x").returncode == 2
