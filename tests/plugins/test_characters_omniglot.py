from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from omniglot_files import packed, small
from PIL import Image

from aiga import AigaError, InputError
from aiga_characters import omniglot
from aiga_characters.sets import Characters, Source, drawn_set

FIRST = "images_background/Alpha/character01"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("omniglot") / "original"
    omniglot.write(small(), folder)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(original, tmp_path / "omniglot"))


def problems(folder: Path) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        omniglot.read(folder, 28)
    return caught.value.problems


def test_what_was_written_is_read_again(original: Path) -> None:
    for size in (105, 28):
        there, wanted = omniglot.read(original, size), small(size)
        assert there.hash == wanted.hash
        assert (there.names, there.background, there.size) == (wanted.names, 3, size)


def test_the_layout_is_omniglots(original: Path) -> None:
    files = sorted(path.relative_to(original).as_posix() for path in original.rglob("*.png"))
    assert len(files) == 100
    assert files[0] == f"{FIRST}/0001_01.png"
    assert files[-1] == "images_evaluation/Gamma/character02/0005_20.png"
    with Image.open(original / files[0]) as image:
        assert (image.mode, image.size) == ("1", (105, 105))
        assert np.array_equal(np.asarray(image), small().images[0, 0].numpy() == 0), "ink is black"


def test_archives_are_read_like_folders(folder: Path) -> None:
    assert omniglot.read(packed(folder), 28).hash == small(28).hash


def test_a_drawn_set_survives_omniglots_layout(tmp_path: Path) -> None:
    drawn, few = drawn_set("drawn", 0, 105), torch.tensor([0, 1, 963, 964])
    omniglot.write(Characters(drawn.images[few], torch.tensor([0, 0, 1, 2]), 3, ("A", "B", "C")), tmp_path / "few")
    again = omniglot.read(tmp_path / "few", 28)
    assert torch.equal(again.images, drawn_set("drawn", 0, 28).images[few])


def test_files_of_the_operating_system_are_no_mistake(folder: Path) -> None:
    (folder / "images_background" / "Alpha" / ".DS_Store").write_bytes(b"x")
    (folder / FIRST / "._0001_01.png").write_bytes(b"x")
    (folder / FIRST / "strokes.txt").write_text("x")
    assert omniglot.read(folder, 28).hash == small(28).hash


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_folder_without_omniglot_in_it_is_told_both_ways_to_mend_it(tmp_path: Path, name: str) -> None:
    first, second = problems(tmp_path / name)
    assert "neither images_background nor images_background.zip" in first
    assert "neither images_evaluation nor images_evaluation.zip" in second
    assert first.startswith(str(tmp_path / name))
    assert ("is no folder" in first) is bool(name)


def test_one_split_is_not_enough(folder: Path) -> None:
    shutil.rmtree(folder / "images_evaluation")
    (only,) = problems(folder)
    assert "images_evaluation" in only


def test_a_split_without_images_is_told(folder: Path) -> None:
    shutil.rmtree(folder / "images_evaluation")
    (folder / "images_evaluation").mkdir()
    (only,) = problems(folder)
    assert "images_evaluation: holds no ALPHABET/characterNN/ID_NN.png" in only


@pytest.mark.parametrize("keep", [0, 8, 40, 100])
def test_a_truncated_image_is_named(folder: Path, keep: int) -> None:
    file = folder / FIRST / "0001_07.png"
    assert keep < len(file.read_bytes()) - 20
    file.write_bytes(file.read_bytes()[:keep])
    (only,) = problems(folder)
    assert "Alpha/character01/0001_07.png is no whole PNG image" in only
    assert "BytesIO" not in only
    assert "Copy that file again" in only


@pytest.mark.parametrize("shape", [(28, 28), (105, 104), (1, 1)])
def test_an_image_of_another_shape_is_named_with_its_shape(folder: Path, shape: tuple[int, int]) -> None:
    Image.new("L", shape, 255).save(folder / FIRST / "0001_07.png")
    (only,) = problems(folder)
    assert f"0001_07.png is {shape[0]} x {shape[1]} pixels, not 105 x 105" in only


def test_an_image_of_another_format_is_no_png(folder: Path) -> None:
    Image.new("L", (105, 105), 255).save(folder / FIRST / "0001_07.png", format="BMP")
    (only,) = problems(folder)
    assert "no whole PNG image" in only


def test_grey_and_coloured_images_are_ink_where_they_are_dark(folder: Path) -> None:
    for mode in ("L", "RGB"):
        with Image.open(folder / FIRST / "0001_07.png") as image:
            image.convert(mode).save(folder / FIRST / "0001_07.png")
        assert omniglot.read(folder, 28).hash == small(28).hash


def test_a_class_that_lacks_a_drawer_is_named(folder: Path) -> None:
    (folder / FIRST / "0001_07.png").unlink()
    (only,) = problems(folder)
    assert "Alpha/character01 has 19 images" in only


def test_two_images_by_one_drawer_are_named(folder: Path) -> None:
    (folder / FIRST / "0001_07.png").rename(folder / FIRST / "0001_8.png")
    first, second = problems(folder)
    assert "second image of its class by drawer" in first
    assert "has 19 images" in second


def test_a_png_in_another_place_is_named(folder: Path) -> None:
    (folder / FIRST).rename(folder / "images_background" / "Alpha" / "first")
    told = problems(folder)
    assert len(told) == 11, "ten, and how many more"
    assert "Alpha/first/0001_01.png is not ALPHABET/characterNN/ID_NN.png" in told[0]
    assert told[-1] == "... and 10 more like these"


def test_an_alphabet_in_both_splits_is_refused(folder: Path) -> None:
    shutil.copytree(folder / "images_background" / "Beta", folder / "images_evaluation" / "Beta")
    (only,) = problems(folder)
    assert "alphabet Beta is in both splits" in only


def test_several_damaged_images_are_told_at_once(folder: Path) -> None:
    for drawer in (3, 5):
        (folder / FIRST / f"0001_{drawer:02d}.png").write_bytes(b"no image")
    assert [f"0001_{drawer:02d}.png" in line for drawer, line in zip((3, 5), problems(folder), strict=True)] == [True, True]


@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_truncated_archive_is_named(folder: Path, keep: float) -> None:
    archive = packed(folder) / "images_background.zip"
    archive.write_bytes(archive.read_bytes()[: int(keep * archive.stat().st_size)])
    (only,) = problems(archive.parent)
    assert "images_background.zip: no zip archive, or cut short" in only
    assert "Download it again" in only


def test_a_damaged_member_of_an_archive_is_named(folder: Path) -> None:
    archive = packed(folder) / "images_background.zip"
    with zipfile.ZipFile(archive) as file:
        member = file.getinfo(f"{FIRST}/0001_07.png")
    data = bytearray(archive.read_bytes())
    middle = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    data[middle] ^= 0xFF
    archive.write_bytes(bytes(data))
    (only,) = problems(archive.parent)
    assert "0001_07.png is no whole PNG image" in only


def test_a_folder_that_exists_is_not_written_over(folder: Path) -> None:
    with pytest.raises(AigaError, match="is there already"):
        omniglot.write(small(), folder)
    with pytest.raises(ValueError, match="105 x 105"):
        omniglot.write(small(28), folder.with_name("new"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AigaError, match="could not be written"):
        omniglot.write(small(), tmp_path / "file" / "below")


def test_a_source_reads_its_folder(folder: Path) -> None:
    said: list[str] = []
    there = Source("folder", str(folder)).load(said.append)
    assert there.hash == small(28).hash
    assert said == [f"reading characters from {folder}"]
    assert there.classes("background") == range(3)
    assert there.classes("evaluation") == range(3, 5)
