"""The state file, on good and bad disks."""

import json
import os
import threading
from pathlib import Path

import pytest

from vipa_agent.state import StateFile

FLUSH_S = 10.0


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
    # /dev/full takes writes and then says ENOSPC: the passing file leads there.
    (tmp_path / f"state.json.{os.getpid()}").symlink_to("/dev/full")
    state.save({"a": 2})
    assert state.close(FLUSH_S)
    assert saved(tmp_path) == {"a": 1}
    assert "No space left" in complaints[0]


def test_a_slow_disk_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(
        tmp_path / f"state.json.{os.getpid()}"
    )  # opening it for writing waits until somebody reads: a disk that hangs
    state = StateFile(tmp_path, lambda _: None)

    def use() -> None:
        for number in range(100):
            state.save({"n": number})

    user = threading.Thread(target=use, daemon=True)
    user.start()
    user.join(FLUSH_S)
    assert not user.is_alive()
    assert not state.flush(0.05)
    with (tmp_path / f"state.json.{os.getpid()}").open("rb") as reader:
        reader.read()
    state.save({"n": 100})  # the disk is well again
    assert state.close(FLUSH_S)
    assert saved(tmp_path) == {"n": 100}
