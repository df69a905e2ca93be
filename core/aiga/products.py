"""Products of many agents' numbers with their own parameters: fast ones, and ones whose bits hang on nothing but their row.

Libraries choose how to add by the size of the batch and by where a row lies in memory: oneDNN convolves a batch of one
otherwise than a batch of two, and groups otherwise than single agents; MKL rounds by alignment. The exact forms multiply one
picture, or one block of rows, at a time, padded so that every piece has the same size and alignment, and never fewer than
two pieces. They are for evaluation; where gradients are wanted the fast ones are used, up to four times as fast.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

LINE: Final = 16  # float32 numbers in 64 bytes
BLOCK: Final = 32  # rows of one exact product
_NUMBERS: Final = 2**23  # numbers of unfolded pictures and repeated kernels held at a time


def matmul(a: Tensor, b: Tensor, exact: bool) -> Tensor:
    """``[B, M, N]``: each row's own product of ``a`` ``[B, M, K]`` and ``b`` ``[B, K, N]``.

    An exact one has the same bits for any number of rows beside it; they do hang on M.
    """
    if not exact:
        return torch.bmm(a, b)
    rows, many = len(a), a.shape[1]
    # Whole lines in M and K make all three matrices whole lines: each piece of the batch begins at one.
    a, b = _lines(_lines(a, 1), 2), _lines(b, 1)
    if rows == 1:
        a, b = a.expand(2, -1, -1), b.expand(2, -1, -1)
    return torch.bmm(a, b)[:rows, :many]


def dense(x: Tensor, weight: Tensor, bias: Tensor, exact: bool) -> Tensor:
    """``[B, T, out]`` of ``x`` ``[B, T, in]`` under ``weight`` ``[B, in, out]`` and ``bias`` ``[B, out]``.

    An exact one has the same bits for any number of rows and of times beside it.
    """
    if not exact:
        return torch.baddbmm(bias[:, None], x, weight)
    count = x.shape[1]
    pieces = [matmul(_rows(piece), weight, exact=True) for piece in torch.split(x, BLOCK, dim=1)]
    return torch.cat(pieces, dim=1)[:, :count] + bias[:, None]


def convolve(x: Tensor, kernel: Tensor, stride: int, exact: bool, padding: tuple[int, int] = (0, 0)) -> Tensor:
    """``[B, T, out, H', W']`` of pictures ``[B, T, in, H, W]`` under kernels ``[B, out, in, h, w]``.

    Pictures ``[1, T, in, H, W]`` are shared by all rows. ``padding`` rows and columns of zeros are added on every side. A fast
    one keeps all rows of a picture together in memory: where one follows another, nothing is copied in between.
    """
    if exact:
        padded = functional.pad(x, (padding[1], padding[1], padding[0], padding[0])) if any(padding) else x
        return _unfolded(padded.expand(len(kernel), -1, -1, -1, -1), kernel, stride)
    rows, count, channels, *size = x.shape
    side_by_side = x.transpose(0, 1).reshape(count, rows * channels, *size)
    out = functional.conv2d(side_by_side, kernel.flatten(0, 1), stride=stride, padding=padding, groups=rows)
    return out.reshape(count, len(kernel), -1, *out.shape[2:]).transpose(0, 1)


def _unfolded(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """A convolution as one product a picture."""
    rows, sides = len(x), kernel.shape[3:]
    high, wide = ((length - side) // stride + 1 for length, side in zip(x.shape[3:], sides, strict=True))
    flat = _lines(_lines(kernel.flatten(2), 1), 2)
    held = flat.shape[2] * (high * wide + flat.shape[1]) * rows
    pieces = []
    for some in torch.split(x, max(1, _NUMBERS // held), dim=1):
        windows = some.unfold(3, sides[0], stride).unfold(4, sides[1], stride)
        columns = windows.permute(0, 1, 2, 5, 6, 3, 4).reshape(-1, x.shape[2] * sides.numel(), high * wide)
        mine = flat[:, None].expand(-1, some.shape[1], -1, -1).reshape(-1, *flat.shape[1:])
        product = matmul(mine, columns, exact=True)[:, : kernel.shape[1]]
        pieces.append(product.reshape(rows, some.shape[1], -1, high, wide))
    return torch.cat(pieces, dim=1)


def _lines(x: Tensor, dim: int) -> Tensor:
    """``x`` with zeros up to whole lines along ``dim``."""
    missing = -x.shape[dim] % LINE
    return functional.pad(x, (0, 0) * (x.ndim - 1 - dim) + (0, missing)) if missing else x


def _rows(x: Tensor) -> Tensor:
    missing = BLOCK - x.shape[1]
    return functional.pad(x, (0, 0, 0, missing)) if missing else x
