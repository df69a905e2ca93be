"""Pictures of a recorded episode, from its poses alone: no simulator and no window system is loaded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiga.durable import storage, write_atomic
from aiga_walker.draw import Scene, strip
from aiga_walker.episode_file import Episode
from aiga_walker.render import animation

FRAME: Final = 60  # ms a frame is shown: three steps of 1/50 s


def strip_of(episode: Episode, width: int = 1600, height: int = 240, caption: str = "") -> NDArray[np.uint8]:
    """``[height, width, 3]``: the whole course with the walker on it, every 2.5 m and at the end."""
    return strip(episode.terrain, episode.pose_list(), width, height, caption)


def frames_of(episode: Episode, caption: str = "") -> NDArray[np.uint8]:
    """``[N, 240, 400, 3]``: every third step, seen by a camera that follows; see :func:`aiga_walker.render.animation`."""
    return animation(Scene(episode.terrain), episode.pose_list(), caption)


def save_png(path: Path, picture: NDArray[np.uint8]) -> Path:
    """Writes a ``[H, W, 3]`` picture, whole or not at all.

    Raises:
        ValueError: if it is not that.
        aiga.StorageError: if it cannot be written.
    """
    _check(picture, 3)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    return _put(path, content)


def save_gif(path: Path, frames: NDArray[np.uint8], milliseconds: int = FRAME) -> Path:
    """Writes ``[N, H, W, 3]`` frames as an animation that repeats, whole or not at all.

    A frame that equals the one before is not kept a second time: that one is shown for longer.

    Args:
        path: where.
        frames: at least one.
        milliseconds: how long each is shown, in full hundredths of a second.

    Raises:
        ValueError: if they are not that.
        aiga.StorageError: if it cannot be written.
    """
    _check(frames, 4)
    content = io.BytesIO()
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(content, "gif", save_all=True, append_images=others, duration=milliseconds, loop=0)
    return _put(path, content)


def _check(drawn: NDArray[np.uint8], axes: int) -> None:
    if drawn.dtype != np.uint8 or drawn.ndim != axes or drawn.shape[-1] != 3 or not drawn.size:
        wanted = "[H, W, 3]" if axes == 3 else "[N, H, W, 3]"
        raise ValueError(f"uint8 of {wanted} is needed; found {drawn.dtype} of {list(drawn.shape)}")


def _put(path: Path, content: io.BytesIO) -> Path:
    with storage(path, "writing the picture"):
        write_atomic(path, content.getvalue())
    return path
