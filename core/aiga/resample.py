"""Pictures turned and moved, read off between their pixels: the same bits wherever a picture stands in a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def turned(angle: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of about ``angle``: exactly on the circle, but for rounding, and within 2 % of the angle up to 1.

    Only sums, products and quotients, each correctly rounded: a library's cosine rounds by an element's place.
    """
    half = angle / 2.0
    tangent = half + half * half * half / 3.0
    square = tangent * tangent
    return (1.0 - square) / (1.0 + square), 2.0 * tangent / (1.0 + square)


def bilinear(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pictures read off between pixels.

    Args:
        images: ``[..., H, W]`` float32.
        x: columns to read at, for each pixel of what is wanted; of a shape that broadcasts to that of ``images``.
        y: rows, likewise.

    Returns:
        ``[..., H, W]``; what comes from off the canvas is 0.
    """
    high, wide = images.shape[-2:]
    left, top = torch.floor(x), torch.floor(y)
    out, flat = torch.zeros_like(images), images.flatten(-2)
    for step_down in (0, 1):
        for step_right in (0, 1):
            column, row = left + step_right, top + step_down
            inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
            at = (row.clamp(0, high - 1) * wide + column.clamp(0, wide - 1)).long().flatten(-2)
            share = (1.0 - (x - column).abs()) * (1.0 - (y - row).abs())
            seen = flat.gather(-1, at.expand(flat.shape)).reshape(images.shape)
            out = out + torch.where(inside, share, 0.0) * seen
    return out
