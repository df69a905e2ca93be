"""Images made smaller by the mean of what lies under each pixel, in whole numbers: the same bits on every machine."""

from __future__ import annotations

import torch
from torch import Tensor


def shrunk(ink: Tensor, size: int) -> Tensor:
    """``[R, N, N]`` uint8 of ink (1) and paper (0) as ``[R, size, size]`` uint8 from 0 (paper) to 255 (ink); ``size <= N``."""
    side = ink.shape[-1]
    if side == size:
        return ink * 255
    pixel, cell = torch.arange(side)[:, None], torch.arange(size)
    # How much of each pixel lies under each cell, in units of 1/size of a pixel.
    low, high = torch.maximum(pixel * size, cell * side), torch.minimum((pixel + 1) * size, (cell + 1) * side)
    under = (high - low).clamp(min=0).float()
    # Whole numbers of at most 105 * 105: float32 holds their sums exactly, in whatever order a product adds them.
    across = (ink.reshape(-1, side).float() @ under).reshape(-1, side, size)
    covered = (across.transpose(1, 2).reshape(-1, side) @ under).reshape(-1, size, size).transpose(1, 2)
    return torch.floor(covered.double() * 255.0 / side**2 + 0.5).to(torch.uint8)
