"""What was drawn becomes a file that any viewer opens, or no file at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aiga import StorageError
from aiga.images import save_image


def frames(count: int) -> Any:
    """Frames that differ, in colours that a palette of 256 keeps."""
    drawn = np.zeros((count, 4, 6, 3), np.uint8)
    drawn[:, :, :, 0] = 40 * np.arange(count, dtype=np.uint8)[:, None, None]
    return drawn


def test_a_picture_comes_back_and_of_frames_the_last(tmp_path: Path) -> None:
    drawn = frames(3)
    with Image.open(save_image(tmp_path / "a.PNG", drawn[1])) as one, Image.open(save_image(tmp_path / "b.png", drawn)) as last:
        assert (one.format, last.format) == ("PNG", "PNG")
        assert np.array_equal(np.asarray(one), drawn[1])
        assert np.array_equal(np.asarray(last), drawn[2])


def test_an_animation_repeats_and_has_every_frame_for_as_long_as_was_asked(tmp_path: Path) -> None:
    drawn = frames(3)
    with Image.open(save_image(tmp_path / "a.gif", drawn, milliseconds=90)) as animation:
        assert (animation.format, animation.n_frames) == ("GIF", 3)  # type: ignore[attr-defined]
        assert (animation.info["loop"], animation.info["duration"]) == (0, 90)
        for number, frame in enumerate(drawn):
            animation.seek(number)
            assert np.array_equal(np.asarray(animation.convert("RGB")), frame)
    with Image.open(save_image(tmp_path / "still.gif", drawn[0])) as still:
        assert still.n_frames == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("drawn", "found"),
    [
        (np.zeros((4, 4, 3)), r"float64 of \[4, 4, 3\]"),
        (np.zeros((4, 4), np.uint8), r"uint8 of \[4, 4\]"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 of \[4, 4, 4\]"),
        (np.zeros((0, 4, 4, 3), np.uint8), r"uint8 of \[0, 4, 4, 3\]"),
    ],
)
def test_what_is_no_picture_is_not_saved(tmp_path: Path, drawn: Any, found: str) -> None:
    for name in ("a.png", "a.gif"):
        with pytest.raises(ValueError, match=rf"uint8 of \[H, W, 3\] or \[N, H, W, 3\] is needed; found {found}"):
            save_image(tmp_path / name, drawn)
    assert list(tmp_path.iterdir()) == []


def test_another_suffix_and_a_place_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'ends in \.png or \.gif; found "\.jpg"'):
        save_image(tmp_path / "a.jpg", frames(1))
    with pytest.raises(StorageError, match="writing the picture failed"):
        save_image(tmp_path / "nowhere" / "a.png", frames(1))


def test_where_writing_fails_what_was_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_image(tmp_path / "a.png", frames(1)[0])
    before = path.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="No space left on device"):
        save_image(path, frames(2)[1])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
