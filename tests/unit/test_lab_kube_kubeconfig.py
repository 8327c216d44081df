"""A kubeconfig of the test API server is replaced whole: programs read it while a test writes it anew."""

import json
from pathlib import Path

from vipa_lab.kube.kubeconfig import token_user, write_kubeconfig


def test_whoever_reads_meanwhile_finds_a_whole_file(tmp_path: Path) -> None:
    ca, path = tmp_path / "ca.crt", tmp_path / "admin.kubeconfig"
    ca.write_text("a certificate")
    write_kubeconfig(path, "https://127.0.0.1:1", ca, token_user("old"))
    with path.open() as reader:
        write_kubeconfig(path, "https://127.0.0.1:1", ca, token_user("new"))
        assert json.load(reader)["users"][0]["user"] == {"token": "old"}
    assert json.loads(path.read_text())["users"][0]["user"] == {"token": "new"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(tmp_path.iterdir()) == [path, ca]
