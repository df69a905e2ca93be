"""Checkpoints: saved whole, believed only when they verify, whatever happened to the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from aiga import checkpoint
from aiga.checkpoint import newest, save, truncate
from aiga.data import Batch, Kind, Population
from aiga.errors import InputError, StorageError


def tree(iteration: int) -> dict[str, Any]:
    agents = Population((Batch(Kind("mlp", {"hidden": (4, 4)}), torch.tensor([iteration]), {"w": torch.full((1, 5), 0.1)}),))
    return {"search": {"iteration": iteration, "agents": agents}, "poet": {"seen": [1, 2], "window": (0.5, None)}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With checkpoints of iterations 10, 20 and 30."""
    for iteration in (10, 20, 30):
        save(tmp_path / "checkpoints", iteration, tree(iteration))
    return tmp_path / "checkpoints"


def went_back_to(folder: Path, iteration: int | None) -> list[str]:
    found, complaints = newest(folder)
    assert (None if found is None else found.iteration) == iteration
    if found is not None:
        assert found.tree["search"]["iteration"] == iteration
    return complaints


def test_a_tree_comes_back_as_it_was(folder: Path) -> None:
    found, complaints = newest(folder)
    assert complaints == []
    assert found is not None
    assert found.iteration == 30
    assert found.tree["poet"] == {"seen": [1, 2], "window": (0.5, None)}
    assert found.tree["search"]["agents"].hashes.tolist() == tree(30)["search"]["agents"].hashes.tolist()


def test_parts_with_tensors_are_safetensors_and_others_json(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "000030").iterdir()) == ["manifest.json", "poet.json", "search.safetensors"]
    assert (folder / "LATEST").read_text() == "000030\n"


def test_nothing_saved_is_no_complaint(tmp_path: Path) -> None:
    assert newest(tmp_path / "checkpoints") == (None, [])


def test_only_the_last_few_are_kept(folder: Path) -> None:
    save(folder, 40, tree(40))
    assert sorted(path.name for path in folder.iterdir()) == ["000020", "000030", "000040", "LATEST"]
    save(folder, 50, tree(50), keep=1)
    assert sorted(path.name for path in folder.iterdir()) == ["000050", "LATEST"]


def test_iterations_sort_as_numbers(tmp_path: Path) -> None:
    for iteration in (999_999, 1_000_000):
        save(tmp_path, iteration, tree(iteration))
    assert went_back_to(tmp_path, 1_000_000) == []


@pytest.mark.parametrize("name", ["manifest.json", "poet.json", "search.safetensors"])
def test_a_flipped_bit_in_any_part_is_never_believed(folder: Path, name: str) -> None:
    path = folder / "000030" / name
    content = path.read_bytes()
    for number, at in enumerate(range(0, len(content), max(1, len(content) // 60))):
        spoilt = bytearray(content)
        spoilt[at] ^= 1 << number % 8
        path.write_bytes(spoilt)
        found, complaints = newest(folder)
        assert found is not None
        if found.iteration == 30:  # blanks between the manifest's entries mean nothing
            assert name == "manifest.json"
            assert json.loads(spoilt) == json.loads(content)
        else:
            assert found.iteration == 20
            assert "000030 is not used" in complaints[0]
            assert name in complaints[0]


@pytest.mark.parametrize("name", ["manifest.json", "poet.json", "search.safetensors"])
def test_a_part_cut_short_is_never_believed(folder: Path, name: str) -> None:
    path = folder / "000030" / name
    content = path.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:length])
        assert name in went_back_to(folder, 20)[0]
    path.write_bytes(content + b"x")
    assert name in went_back_to(folder, 20)[0]


@pytest.mark.parametrize("name", ["manifest.json", "poet.json", "search.safetensors"])
def test_a_missing_part_is_named(folder: Path, name: str) -> None:
    (folder / "000030" / name).unlink()
    complaints = went_back_to(folder, 20)
    assert f"{name} is missing" in complaints[0]
    assert "iteration 20" in complaints[-1]


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b'{"manifest": 3, "sha256": ""}', b"\xff\xfe", b"[" * 100_000])
def test_a_manifest_of_anything_else_is_never_believed(folder: Path, content: bytes) -> None:
    (folder / "000030" / "manifest.json").write_bytes(content)
    assert "manifest.json" in went_back_to(folder, 20)[0]


def test_a_part_that_is_a_folder_or_a_checkpoint_that_is_a_file_is_no_part(folder: Path) -> None:
    (folder / "000030" / "poet.json").unlink()
    (folder / "000030" / "poet.json").mkdir()
    (folder / "000040").write_bytes(b"")
    assert len(went_back_to(folder, 20)) >= 2


def test_a_checkpoint_under_another_ones_name_is_not_believed(folder: Path) -> None:
    shutil.copytree(folder / "000010", folder / "000050")
    assert "iteration 10" in went_back_to(folder, 30)[0]


def test_parts_of_two_checkpoints_are_not_mixed(folder: Path) -> None:
    shutil.copy(folder / "000020" / "search.safetensors", folder / "000030" / "search.safetensors")
    went_back_to(folder, 20)


def test_where_none_verifies_every_one_is_complained_of(folder: Path) -> None:
    for path in folder.glob("*/manifest.json"):
        path.write_bytes(b"{")
    complaints = went_back_to(folder, None)
    assert [name in text for name, text in zip(("000030", "000020", "000010"), complaints, strict=True)] == [True] * 3


def test_latest_may_lag_or_be_missing(folder: Path) -> None:
    (folder / "LATEST").write_text("000020\n")
    assert went_back_to(folder, 30) == []
    (folder / "LATEST").unlink()
    assert went_back_to(folder, 30) == []


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"../../etc", b"000030\n000020\n"])
def test_a_latest_that_names_nothing_is_told_and_ignored(folder: Path, content: bytes) -> None:
    (folder / "LATEST").write_bytes(content)
    assert "LATEST does not name a checkpoint" in went_back_to(folder, 30)[0]


def test_a_lost_checkpoint_that_latest_names_is_told(folder: Path) -> None:
    shutil.rmtree(folder / "000030")
    complaints = went_back_to(folder, 20)
    assert "000030" in complaints[0]
    assert "missing" in complaints[0]


def test_what_a_killed_process_left_is_ignored_and_swept_up(folder: Path) -> None:
    shutil.copytree(folder / "000030", folder / ".000040.partial")
    shutil.copytree(folder / "000030", folder / ".000005.removed")
    (folder / ".LATEST.partial").write_text("0000")
    assert went_back_to(folder, 30) == []
    save(folder, 40, tree(40))
    assert sorted(path.name for path in folder.iterdir()) == ["000020", "000030", "000040", "LATEST"]


def test_an_iteration_saved_again_replaces_its_checkpoint(folder: Path) -> None:
    save(folder, 30, {**tree(30), "late": "plugin"})
    found, complaints = newest(folder)
    assert found is not None
    assert found.tree["late"] == "plugin"
    assert complaints == []
    assert sorted(path.name for path in folder.iterdir()) == ["000010", "000020", "000030", "LATEST"]


def test_a_kill_while_a_checkpoint_is_replaced_loses_neither(folder: Path) -> None:
    (folder / "000030").rename(folder / "000030.replaced")
    assert went_back_to(folder, 30) == []
    save(folder, 30, tree(30))
    shutil.copytree(folder / "000030", folder / "000030.replaced")
    assert went_back_to(folder, 30) == []
    save(folder, 30, tree(30))
    assert went_back_to(folder, 30) == []
    assert sorted(path.name for path in folder.iterdir()) == ["000010", "000020", "000030", "LATEST"]


@pytest.mark.parametrize("call", range(10))
def test_a_failure_at_any_step_of_saving_leaves_the_former_ones(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    steps = 0

    def failing(step: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == call + 1:
                raise OSError(28, "No space left on device")
            return step(*arguments)

        return run

    with monkeypatch.context() as patch:
        for name in ("write_synced", "sync_folder", "write_atomic"):
            patch.setattr(checkpoint, name, failing(getattr(checkpoint, name)))
        patch.setattr(Path, "rename", failing(Path.rename))
        if call < 9:
            with pytest.raises(StorageError, match=r"No space left.*Free some space"):
                save(folder, 40, tree(40))
        else:
            save(folder, 40, tree(40))
            assert steps == 9, "add the new steps to this test"
    found, complaints = newest(folder)
    assert found is not None
    assert found.iteration in (30, 40)
    assert complaints == []
    assert not list(folder.glob(".*.partial"))
    save(folder, 40, tree(40))
    assert sorted(path.name for path in folder.iterdir()) == ["000020", "000030", "000040", "LATEST"]


def test_going_back_removes_later_checkpoints_and_turns_latest(folder: Path) -> None:
    truncate(folder, 20)
    assert went_back_to(folder, 20) == []
    assert (folder / "LATEST").read_text() == "000020\n"
    truncate(folder, 5)
    assert newest(folder) == (None, [])


def test_saving_an_earlier_iteration_forgets_the_later_ones(folder: Path) -> None:
    save(folder, 15, tree(15))
    assert went_back_to(folder, 15) == []
    assert sorted(path.name for path in folder.iterdir()) == ["000010", "000015", "LATEST"]


def rewrite_format(folder: Path, version: int) -> None:
    path = folder / "manifest.json"
    body = json.loads(path.read_bytes())["manifest"] | {"format": version}
    path.write_text(json.dumps({"manifest": body, "sha256": checkpoint._digest(body)}))


def test_a_checkpoint_of_a_newer_aiga_is_bad_input_not_damage(folder: Path) -> None:
    rewrite_format(folder / "000030", 7)
    with pytest.raises(InputError, match=r"newer aiga.*format 7.*Upgrade"):
        newest(folder)


def test_a_bit_that_makes_the_format_look_newer_is_damage(folder: Path) -> None:
    path = folder / "000030" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 3'))
    assert "000030" in went_back_to(folder, 20)[0]


@pytest.mark.parametrize("key", ["manifest", "a/b", "..", "", "ä"])
def test_a_key_that_cannot_name_a_file_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="cannot name a part"):
        save(tmp_path, 0, {key: 1})
    assert list(tmp_path.iterdir()) == []


def test_a_value_that_cannot_be_saved_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot be saved"):
        save(tmp_path, 0, {"fine": 1, "plugin": object()})
    assert list(tmp_path.iterdir()) == []
