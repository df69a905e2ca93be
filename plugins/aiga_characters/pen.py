"""Strokes as ink: a pixel is black where the pen's line is no further from its middle than half the pen's width."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from aiga_characters.strokes import Strokes, curves

SPACING: Final = 1.25  # pixels between neighbouring points of a curve, about: less than the width of a pen
_LONGEST: Final = 1.0 / 3.0  # of the pieces of a curve, as a share of the canvas


def inked(strokes: Strokes, half_width: Tensor, size: int) -> Tensor:
    """Images of characters.

    Args:
        strokes: ``R`` characters.
        half_width: ``[R]`` of the pen, as a share of the canvas.
        size: pixels of a side.

    Returns:
        ``[R, size, size]`` uint8: 1 ink, 0 paper.
    """
    samples = math.ceil(_LONGEST * size / SPACING)
    points, whose = curves(strokes, samples)
    radius = half_width * size
    reach = float(radius.max())
    x, y = (points[..., axis].flatten() * size - 0.5 for axis in (0, 1))  # in pixels, from the middle of the first
    whose = whose.repeat_interleave(samples)
    left, top = torch.ceil(x - reach), torch.ceil(y - reach)
    square = (radius * radius)[whose].float()
    wide = math.floor(2.0 * reach) + 1
    # A border takes what lies off the canvas: the window of a point is clamped into it, and cut off below.
    padded = size + 2 * wide
    column, row = ((edge + wide).clamp(0, padded - wide).long() for edge in (left, top))
    dx, dy = (column - wide - x).float(), (row - wide - y).float()
    first = (whose * padded + row) * padded + column
    ink = torch.zeros(len(half_width) * padded * padded, dtype=torch.uint8)
    for down in range(wide):
        beside = (dy + down) * (dy + down)
        for right in range(wide):
            near = beside + (dx + right) * (dx + right) <= square
            ink.scatter_reduce_(0, first + (down * padded + right), near.to(torch.uint8), "amax")
    return ink.reshape(-1, padded, padded)[:, wide:-wide, wide:-wide]
