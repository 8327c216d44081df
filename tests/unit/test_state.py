"""The state file, on good and bad disks."""

import json
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vipa_agent.state import StateFile, replace

FLUSH_S = 10.0
FILE_BYTES_MAX = 2**20


def saved(state_dir: Path) -> object:
    return json.loads((state_dir / "state.json").read_text())


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    complaints: list[str] = []
    first = StateFile(tmp_path / "new" / "dir", complaints.append)
    assert first.load() == {}
    first.save({"incarnation": 7, "term/1f": 12})
    first.save({"incarnation": 7, "term/1f": 13})
    assert first.close(FLUSH_S)
    assert StateFile(tmp_path / "new" / "dir", complaints.append).load() == {"incarnation": 7, "term/1f": 13}
    assert [path.name for path in (tmp_path / "new" / "dir").iterdir()] == ["state.json"], "no passing file is left"
    assert (tmp_path / "new" / "dir").stat().st_mode & 0o777 == 0o700
    assert complaints == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b'{"term": [1]}', b'{"term": null}', b"\xff\xfe", b'{"a": 1}garbage']
)
def test_a_damaged_file_is_said_so_and_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    complaints: list[str] = []
    state = StateFile(tmp_path, complaints.append)
    assert state.load() == {}
    assert len(complaints) == 1
    assert "is damaged" in complaints[0]
    state.save({"a": 1})
    assert state.close(FLUSH_S)
    assert saved(tmp_path) == {"a": 1}


def test_an_unreadable_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    complaints: list[str] = []
    assert StateFile(tmp_path, complaints.append).load() == {}
    assert "cannot read" in complaints[0]


def test_a_bad_disk_is_said_once_and_again_after_it_was_good(tmp_path: Path) -> None:
    in_the_way = tmp_path / "dir"
    in_the_way.write_text("a file where the state dir should be")
    complaints: list[str] = []
    state = StateFile(in_the_way, complaints.append)
    for number in range(3):
        state.save({"n": number})
        assert state.flush(FLUSH_S)
    assert len(complaints) == 1
    assert "cannot save" in complaints[0]
    in_the_way.unlink()
    state.save({"n": 3})
    assert state.flush(FLUSH_S)
    assert saved(in_the_way) == {"n": 3}
    (in_the_way / "state.json").unlink()
    (in_the_way / "state.json").mkdir()  # nothing can be renamed over a folder
    state.save({"n": 4})
    assert state.close(FLUSH_S)
    assert len(complaints) == 2
    assert [path.name for path in in_the_way.iterdir()] == ["state.json"]


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    complaints: list[str] = []
    state = StateFile(tmp_path, complaints.append)
    state.save({"a": 1})
    assert state.flush(FLUSH_S)
    # A limit on the size of files stands for the end of the disk: some is written, and then no more.
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, limit[1]))
    try:
        state.save({"a": "2" * 2 * FILE_BYTES_MAX})
        assert state.close(FLUSH_S)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert saved(tmp_path) == {"a": 1}
    assert "File too large" in complaints[0]
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"], "no passing file is left"


def test_a_slow_disk_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    well, sync = threading.Event(), os.fsync

    def hang(fd: int) -> None:
        well.wait(FLUSH_S)
        sync(fd)

    monkeypatch.setattr(os, "fsync", hang)
    state = StateFile(tmp_path, lambda _: None)

    def use() -> None:
        for number in range(100):
            state.save({"n": number})

    user = threading.Thread(target=use, daemon=True)
    user.start()
    user.join(FLUSH_S)
    assert not user.is_alive()
    assert not state.flush(0.05)
    assert not (tmp_path / "state.json").exists()
    well.set()
    state.save({"n": 100})
    assert state.close(FLUSH_S)
    assert saved(tmp_path) == {"n": 100}


def test_two_writers_with_one_process_id_do_not_mix(tmp_path: Path) -> None:
    """As in the two pods of an upgrade, which share the state dir: each of their agents is process 1."""
    path = tmp_path / "plan.json"
    contents = [bytes([letter]) * 20_000 * number for number, letter in enumerate(b"ab", start=1)]

    def write(content: bytes) -> None:
        for _ in range(50):
            replace(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, contents))
    assert [left.name for left in tmp_path.iterdir()] == ["plan.json"]
    assert path.stat().st_mode & 0o777 == 0o600
