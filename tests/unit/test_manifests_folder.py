"""The last good set of a folder: a bad document disturbs nothing else, and what was good stays."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from vipa_agent.sources.folder import Loaded, Manifests

HEAD = "apiVersion: vipa.dev/v1alpha1\nkind: VirtualIP\n"


def vip(name: str, address: str) -> str:
    return f"---\n{HEAD}metadata: {{name: {name}}}\nspec: {{addresses: [{address}]}}\n"


A, B = vip("a", "10.1.1.1"), vip("b", "10.1.1.2")
BAD_B = vip("b", "10.1.1.900")
NO_YAML = "---\n{ not: yaml\n"


def names(loaded: Loaded) -> list[str]:
    return [o.metadata.name for o in loaded.objects]


def test_every_yaml_and_json_of_the_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(A + B)
    (tmp_path / "two.yml").write_text(vip("c", "10.1.1.3"))
    (tmp_path / "three.json").write_text(
        '{"apiVersion":"vipa.dev/v1alpha1","kind":"VirtualIP","metadata":{"name":"d"},"spec":{"addresses":["10.1.1.4"]}}'
    )
    (tmp_path / "notes.txt").write_text("not ours")
    (tmp_path / ".hidden.yaml").write_text("not: ours")
    loaded = Manifests(tmp_path).load()
    assert names(loaded) == ["a", "b", "c", "d"]
    assert loaded.problems == ()


def test_good_documents_apply_beside_bad_ones_in_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(NO_YAML + A + BAD_B + vip("c", "10.1.1.3"))
    loaded = Manifests(tmp_path).load()
    assert names(loaded) == ["a", "c"]
    assert [r.name for r in loaded.refused] == ["b"]
    assert len(loaded.problems) == 2


def test_an_object_that_turns_bad_keeps_its_last_good_version(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    (tmp_path / "f.yaml").write_text(A + B)
    before = manifests.load()
    (tmp_path / "f.yaml").write_text(vip("a", "10.1.1.5") + BAD_B)
    after = manifests.load()
    assert names(after) == ["a", "b"]
    assert after.objects[0] != before.objects[0]
    assert after.objects[1] == before.objects[1]
    assert after.refused == ()
    assert "f.yaml:10: spec.addresses[0]: 10.1.1.900" in str(after.problems[0])
    assert "the version before stays in force" in str(after.problems[0])
    assert names(manifests.load()) == ["a", "b"], "and again when nothing changes"
    (tmp_path / "f.yaml").write_text(A + B)
    assert manifests.load() == before


def test_a_removed_object_is_removed(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    (tmp_path / "f.yaml").write_text(A + B)
    (tmp_path / "g.yaml").write_text(vip("c", "10.1.1.3"))
    assert names(manifests.load()) == ["a", "b", "c"]
    (tmp_path / "f.yaml").write_text(A)
    (tmp_path / "g.yaml").unlink()
    assert names(manifests.load()) == ["a"]


def break_text(path: Path) -> None:
    path.write_text("{ not: yaml")


def break_utf8(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def break_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def break_kind_of_file(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("break_it", [break_text, break_utf8, break_link, break_kind_of_file])
def test_an_unreadable_file_keeps_all_its_objects(tmp_path: Path, break_it: Callable[[Path], None]) -> None:
    manifests = Manifests(tmp_path)
    (tmp_path / "f.yaml").write_text(A + B)
    (tmp_path / "g.yaml").write_text(vip("c", "10.1.1.3"))
    manifests.load()
    break_it(tmp_path / "f.yaml")
    (tmp_path / "g.yaml").write_text(vip("d", "10.1.1.4"))
    loaded = manifests.load()
    assert names(loaded) == ["a", "b", "d"], "objects of the other file come and go as before"
    assert len(loaded.problems) == 1
    assert str(tmp_path / "f.yaml") in str(loaded.problems[0])


def test_an_object_that_an_unreadable_document_may_hold_is_kept(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    (tmp_path / "f.yaml").write_text(A + B)
    manifests.load()
    (tmp_path / "f.yaml").write_text(A + NO_YAML)
    assert names(manifests.load()) == ["a", "b"]


def test_an_object_may_move_to_another_file(tmp_path: Path) -> None:
    manifests = Manifests(tmp_path)
    (tmp_path / "f.yaml").write_text(A)
    manifests.load()
    (tmp_path / "f.yaml").rename(tmp_path / "g.yaml")
    assert names(manifests.load()) == ["a"]
    (tmp_path / "g.yaml").unlink()
    assert names(manifests.load()) == []


def test_of_two_definitions_the_first_counts_and_the_second_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(A)
    (tmp_path / "g.yaml").write_text(vip("a", "10.1.1.9"))
    loaded = Manifests(tmp_path).load()
    assert [o.spec.addresses for o in loaded.objects] == [("10.1.1.1",)]  # type: ignore[union-attr]
    assert "VirtualIP a is already at" in str(loaded.problems[0])
    assert "f.yaml:2" in str(loaded.problems[0])


def test_a_folder_that_goes_away_keeps_everything(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    manifests = Manifests(folder)
    assert names(manifests.load()) == []
    folder.mkdir()
    (folder / "f.yaml").write_text(A)
    assert names(manifests.load()) == ["a"]
    folder.rename(tmp_path / "elsewhere")
    loaded = manifests.load()
    assert names(loaded) == ["a"]
    assert "cannot read the folder" in str(loaded.problems[0])
