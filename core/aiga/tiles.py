"""Small pictures beside one another: framed by what became of them, with a line above, and no more of them than can be seen."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

Picture = NDArray[np.uint8]

RIGHT: Final = (44, 123, 182)
WRONG: Final = (230, 97, 1)  # told from the other by every kind of colour vision
_CAPTION: Final = 26  # pixels above a picture that has one


def framed(picture: Picture, colour: tuple[int, int, int], edge: int) -> Picture:
    """``[H, W, 3]`` with a frame of ``edge`` pixels around it."""
    high, wide, _ = picture.shape
    out = np.empty((high + 2 * edge, wide + 2 * edge, 3), np.uint8)
    out[:] = colour
    out[edge:-edge, edge:-edge] = picture
    return out


def captioned(picture: Picture, caption: str, left: int = 4) -> Picture:
    """``[H, W, 3]`` with a line of text above it, where there is one."""
    if not caption:
        return picture
    image = Image.new("RGB", (picture.shape[1], picture.shape[0] + _CAPTION), "white")
    image.paste(Image.fromarray(picture), (0, _CAPTION))
    ImageDraw.Draw(image).text((left, 5), caption, fill=(40, 40, 40), font=ImageFont.load_default(size=13))
    return np.asarray(image).copy()


def spread(count: int, most: int) -> Tensor:
    """Up to ``most`` of ``count`` places, at equal distances."""
    return torch.arange(count) if count <= most else torch.arange(most) * count // most
