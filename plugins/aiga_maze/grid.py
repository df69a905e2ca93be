"""Mazes as grids of free cells, many at a time: how far cells are from one another, and which is the n-th of some.

A grid is ``[R, M, M]`` bool; whatever is outside a maze, its rim included, is not free, so that nobody can leave the canvas.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

FAR: Final = 2**15 - 1  # no walk over a canvas is as long
MOVES: Final = ((-1, 0), (1, 0), (0, -1), (0, 1))  # up, down, left, right: rows and columns


def distances(free: Tensor, source: Tensor, longest: int | None = None) -> Tensor:
    """``[R, M, M]`` int16 steps of the shortest walk from ``source`` ``[R, M, M]`` bool; ``FAR`` where there is none.

    Args:
        free: the grids.
        source: where walks start.
        longest: no walk is longer, where that is known; off the host nobody then waits to hear that all are done.
    """
    reached = source & free
    walk = torch.where(reached, 0, FAR).to(torch.int16)
    front, step, unasked = reached, 0, longest is not None and free.device.type != "cpu"
    while step < longest if longest is not None and unasked else bool(front.any()):
        step += 1
        front = _beside(front) & free & ~reached
        reached = reached | front
        walk = walk.masked_fill(front, step)
    return walk


def connected(free: Tensor) -> Tensor:
    """``[R]`` bool: whether one can walk from every free cell to every other."""
    whole = free.flatten(1)
    first = whole & (whole.cumsum(dim=1) == 1)
    return (distances(free, first.reshape(free.shape)) == FAR).eq(~free).flatten(1).all(dim=1)


def cells(rows: Tensor, columns: Tensor, canvas: int) -> Tensor:
    """``[R, M, M]`` bool, true at one cell a grid."""
    line = torch.arange(canvas, device=rows.device)
    return (line[None, :, None] == rows[:, None, None]) & (line[None, None, :] == columns[:, None, None])


def inside(size: Tensor, canvas: int, rim: int = 1) -> Tensor:
    """``[R, M, M]`` bool: the cells of mazes of ``size`` ``[R]`` that are at least ``rim`` from their outer edge."""
    line = torch.arange(canvas, device=size.device)[None]
    within = (line >= rim) & (line < size[:, None] - rim)
    return within[:, :, None] & within[:, None, :]


def nth(some: Tensor, rank: Tensor) -> Tensor:
    """``[R, K]`` int64 flat cells: of ``some`` ``[R, M, M]`` the ``rank``-th, ``[R, K]``, from 0 in reading order."""
    return torch.searchsorted(some.flatten(1).to(torch.int32).cumsum(dim=1), rank.to(torch.int64) + 1)


def shifted(some: Tensor, down: int, right: int) -> Tensor:
    """``[R, M, M]`` bool: at each cell, what ``some`` is so many cells further down and right, at most one; false outside."""
    size = some.shape[1]
    padded = torch.nn.functional.pad(some, (1, 1, 1, 1))
    return padded[:, 1 + down : 1 + down + size, 1 + right : 1 + right + size]


def count(some: Tensor) -> Tensor:
    """``[R]`` int64: how many cells of each grid."""
    return some.flatten(1).sum(dim=1)


def _beside(some: Tensor) -> Tensor:
    up, down, left, right = (shifted(some, *move) for move in MOVES)
    return up | down | left | right
