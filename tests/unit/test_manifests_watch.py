"""Following a folder: every way in which people, editors and ConfigMaps change one is noticed."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from vipa_agent.sources.watch import changes

PATIENCE_S = 20.0
"""A change is told within a fraction of a second; a starved machine may take longer, but not for ever."""


def told_after(folder: Path, *steps: Callable[[], object]) -> list[bool]:
    """Do the steps one after another; after each, whether a change was told within the patience."""

    async def run() -> list[bool]:
        told = []
        async with aclosing(changes(folder, settle_s=0.02)) as stream:
            for step in steps:
                pending = asyncio.ensure_future(anext(stream))
                await asyncio.sleep(0)  # the generator now watches
                step()
                done, _ = await asyncio.wait([pending], timeout=PATIENCE_S)
                told.append(bool(done))
                if not done:
                    pending.cancel()
                    break
        return told

    return asyncio.run(run())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "manifests"
    made.mkdir()
    (made / "a.yaml").write_text("a: 1")
    return made


def test_files_written_added_and_removed(folder: Path) -> None:
    steps = (
        lambda: (folder / "a.yaml").write_text("a: 2"),
        lambda: (folder / "b.yaml").write_text("b: 1"),
        (folder / "b.yaml").unlink,
        lambda: (folder / "a.yaml").chmod(0o600),
    )
    assert told_after(folder, *steps) == [True] * 4


def test_an_editor_that_writes_by_rename(folder: Path) -> None:
    def save() -> None:
        (folder / ".a.yaml.swp").write_text("a: 2")
        (folder / ".a.yaml.swp").rename(folder / "a.yaml")

    assert told_after(folder, save, save) == [True, True]


def test_a_config_map_that_swaps_its_link(folder: Path) -> None:
    def version(number: int) -> None:
        data = folder / f"..{number}"
        data.mkdir()
        (data / "c.yaml").write_text(f"c: {number}")
        (folder / "..data_tmp").symlink_to(data.name)
        (folder / "..data_tmp").rename(folder / "..data")

    version(1)
    (folder / "c.yaml").symlink_to("..data/c.yaml")
    assert told_after(folder, lambda: version(2), lambda: version(3)) == [True, True]
    assert (folder / "c.yaml").read_text() == "c: 3"


def test_a_folder_that_is_replaced_is_followed(folder: Path, tmp_path: Path) -> None:
    def replace() -> None:
        folder.rename(tmp_path / "old")
        folder.mkdir()

    steps = (replace, lambda: (folder / "new.yaml").write_text("x: 1"))
    assert told_after(folder, *steps) == [True, True]


def test_a_folder_that_is_deleted_and_comes_back(folder: Path) -> None:
    def delete() -> None:
        (folder / "a.yaml").unlink()
        folder.rmdir()

    steps = (delete, folder.mkdir, lambda: (folder / "a.yaml").write_text("a: 3"))
    assert told_after(folder, *steps) == [True, True, True]


def test_a_folder_that_is_a_link_to_another(folder: Path, tmp_path: Path) -> None:
    link, other = tmp_path / "link", tmp_path / "other"
    other.mkdir()
    link.symlink_to(folder)

    def swap() -> None:
        (tmp_path / "link2").symlink_to(other)
        (tmp_path / "link2").rename(link)

    assert told_after(link, swap, lambda: (other / "b.yaml").write_text("b: 1")) == [True, True]


def test_a_burst_is_told_once_and_never_unheard(folder: Path) -> None:
    async def run() -> tuple[int, str]:
        seen, text = 0, ""
        async with aclosing(changes(folder, settle_s=0.2)) as stream:
            pending = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            for i in range(100):
                (folder / "a.yaml").write_text(f"a: {i}")
            while True:
                done, _ = await asyncio.wait([pending], timeout=PATIENCE_S if not seen else 1.0)
                if not done:
                    pending.cancel()
                    await asyncio.wait([pending])
                    return seen, text
                seen, text = seen + 1, (folder / "a.yaml").read_text()
                pending = asyncio.ensure_future(anext(stream))

    seen, text = asyncio.run(run())
    assert 1 <= seen <= 3, "a hundred writes are one burst; a starved loop may see a few"
    assert text == "a: 99"


def test_other_folders_beside_it_do_not_wake_it(folder: Path, tmp_path: Path) -> None:
    async def run() -> bool:
        async with aclosing(changes(folder, settle_s=0.02)) as stream:
            pending = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            (tmp_path / "beside").mkdir()
            done, _ = await asyncio.wait([pending], timeout=0.3)
            pending.cancel()
            await asyncio.wait([pending])
            return bool(done)

    assert not asyncio.run(run())
