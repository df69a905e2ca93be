"""What was drawn as a file that others open: a PNG, or a GIF that repeats; whole, or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aiga.durable import storage, write_atomic

PICTURE: Final = ".png"
ANIMATION: Final = ".gif"
FRAME: Final = 60  # ms that a frame is shown


def save_image(path: Path, drawn: NDArray[np.uint8], milliseconds: int = FRAME) -> Path:
    """Writes a picture or frames as what the suffix of ``path`` says.

    A frame that equals the one before is not kept a second time in an animation: that one is shown for longer.

    Args:
        path: ends in ``.png`` for a picture, of frames the last, or in ``.gif`` for an animation.
        drawn: ``[H, W, 3]`` uint8, or ``[N, H, W, 3]`` of at least one frame.
        milliseconds: how long each frame is shown, in full hundredths of a second.

    Raises:
        ValueError: if it is not that, or the suffix is another.
        aiga.StorageError: if it cannot be written.
    """
    if drawn.dtype != np.uint8 or drawn.ndim not in (3, 4) or drawn.shape[-1] != 3 or not drawn.size:
        raise ValueError(f"uint8 of [H, W, 3] or [N, H, W, 3] is needed; found {drawn.dtype} of {list(drawn.shape)}")
    frames, content, suffix = _frames(drawn), io.BytesIO(), path.suffix.lower()
    if suffix == ANIMATION:
        frames[0].save(content, "gif", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    elif suffix == PICTURE:
        frames[-1].save(content, "png")
    else:
        raise ValueError(f'{path}: an image ends in {PICTURE} or {ANIMATION}; found "{path.suffix}"')
    with storage(path, "writing the picture"):
        write_atomic(path, content.getvalue())
    return path


def _frames(drawn: NDArray[np.uint8]) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in (drawn if drawn.ndim == 4 else drawn[None])]
