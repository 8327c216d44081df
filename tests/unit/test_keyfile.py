"""The key file of a running agent: followed, read again on demand, and never worse than it was."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from vipa.errors import ConfigError
from vipa_agent.keyfile import KeyFile, read_keys

SECRET = "0123456789abcdef"
K1, K2 = f"k1:{SECRET}1\n", f"k2:{SECRET}2\n"
PATIENCE_S = 20.0


def follow(path: Path, *steps: Callable[[KeyFile], object], said: list[str] | None = None) -> list[list[str]]:
    """Do the steps one after another, each when the one before had its effect: keys taken, or something said of
    them. The names of the keys taken, in order."""
    taken: list[list[str]] = []

    async def run() -> None:
        file = KeyFile(path, read_keys(path))
        following = asyncio.create_task(file.follow(lambda keys: taken.append([key.name for key in keys])))
        with capture_logs() as logs:
            await asyncio.sleep(0.2)  # it watches
            for step in steps:
                count = len(logs)
                step(file)
                async with asyncio.timeout(PATIENCE_S):
                    while len(logs) == count:
                        await asyncio.sleep(0.01)
        following.cancel()
        if said is not None:
            said.extend(str(line.get("detail", "")) for line in logs)

    asyncio.run(run())
    return taken


def write(path: Path, text: str) -> Callable[[KeyFile], object]:
    return lambda _: path.write_text(text)


def test_add_swap_and_remove_are_taken_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(K1)
    assert follow(path, write(path, K1 + K2), write(path, K2 + K1), write(path, K2)) == [
        ["k1", "k2"],
        ["k2", "k1"],
        ["k2"],
    ]


def test_a_secret_volume_swaps_its_link(tmp_path: Path) -> None:
    for number, text in enumerate((K1, K1 + K2)):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}/key").write_text(text)
    (tmp_path / "..data").symlink_to("..0")
    (tmp_path / "key").symlink_to("..data/key")

    def swap(_: KeyFile) -> None:
        (tmp_path / "..data_tmp").symlink_to("..1")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    assert follow(tmp_path / "key", swap) == [["k1", "k2"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{K1}k2:short\n", ":2: the secret has 5 characters"),
        ("", ": no key in it"),
        (f"{K1}k1:{SECRET}9\n", ":2: key k1 is already in line 1"),
    ],
)
def test_a_bad_file_keeps_the_last_good_keys_and_says_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "key"
    path.write_text(K1)
    said: list[str] = []
    assert follow(path, write(path, text), write(path, K1 + K2), said=said) == [["k1", "k2"]]
    assert f"{path}{words}" in said[0]
    assert SECRET not in said[0]


def test_a_file_that_goes_keeps_the_keys_and_is_taken_when_it_is_back(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(K1)
    said: list[str] = []
    assert follow(path, lambda _: path.unlink(), write(path, K2), said=said) == [["k2"]]
    assert f"cannot read {path}" in said[0]


def test_a_link_to_elsewhere_is_read_again_on_demand(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "secrets").mkdir()
    target = tmp_path / "secrets/key"
    target.write_text(K1)
    (tmp_path / "etc/key").symlink_to(target)

    def hangup(file: KeyFile) -> None:
        target.write_text(K1 + K2)
        file.look()

    assert follow(tmp_path / "etc/key", hangup) == [["k1", "k2"]]


def test_what_changed_before_anybody_followed_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(K1)
    file = KeyFile(path, read_keys(path))
    path.write_text(K2)

    async def run() -> None:
        taken = asyncio.Event()
        following = asyncio.create_task(file.follow(lambda _: taken.set()))
        await asyncio.wait_for(taken.wait(), PATIENCE_S)
        following.cancel()

    asyncio.run(run())
    assert [key.name for key in file.keys] == ["k2"]


def test_at_the_start_a_bad_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_keys(tmp_path / "none")
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not text"):
        read_keys(tmp_path / "key")
