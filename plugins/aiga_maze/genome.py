"""The genome of a maze: its walls, where the unseen goal may be, and how long a life in it is.

Leaves of a batch of ``B`` mazes on a canvas of ``M`` x ``M`` cells:

=========  ================  ==========================================================================================
``size``   ``[B]``           cells along a side, outer walls included (int64, odd)
``free``   ``[B, M, M]``     bool, where one can stand; the maze is the canvas' upper left corner, its rim is wall
``goal``   ``[B, 2]``        least and greatest walk from the start to a goal, in steps (int64)
``split``  ``[B]``           which cells may be goals: 0 all, 1 all but every fourth, 2 every fourth (int64)
``steps``  ``[B]``           length of a life (int64)
=========  ================  ==========================================================================================

A life starts at the centre. Goals are drawn for each life; the walls are what the genome says.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Kind
from aiga_maze.grid import FAR, MOVES, cells, count, distances, inside, shifted

VERSION: Final = 1
SMALLEST: Final = 5
ANYWHERE: Final = (1, FAR - 1)  # a goal at any walk from the start
ALL, SEEN, UNSEEN = 0, 1, 2
FOLDS: Final = 4  # every fourth cell, by walk from the start, is kept from those who learn on the others


def kind(canvas: int) -> Kind:
    """The kind of mazes on a canvas of so many cells along a side."""
    return Kind("maze", {"version": VERSION, "canvas": canvas})


def pillars(size: int, canvas: int) -> Tensor:
    """``[M, M]`` bool, free cells of a room with a pillar at every even row and even column (Miconi et al. 2018)."""
    line = torch.arange(canvas)
    even = line % 2 == 0
    free = inside(torch.tensor([size]), canvas)[0] & ~(even[:, None] & even[None, :])
    free[size // 2, size // 2] = True
    return free


def mazes(free: Tensor, size: int, goal: tuple[int, int] = ANYWHERE, split: int = ALL, steps: int = 80) -> Batch:
    """One maze with these free cells ``[M, M]``."""
    leaves = {
        "size": torch.tensor([size]),
        "free": free[None].clone(),
        "goal": torch.tensor([goal]),
        "split": torch.tensor([split]),
        "steps": torch.tensor([steps]),
    }
    return Batch.of(kind(len(free)), leaves)


def withheld(mazes: Batch) -> Batch:
    """The same mazes, those that keep goals from who learns with these goals alone; others as they are."""
    split = mazes.leaves["split"]
    return Batch.of(mazes.kind, {**mazes.leaves, "split": torch.where(split == SEEN, UNSEEN, split)})


def start(envs: Batch) -> Tensor:
    """``[B, M, M]`` bool: the cell where lives start."""
    middle = envs.leaves["size"] // 2
    return cells(middle, middle, envs.leaves["free"].shape[1])


def goals(envs: Batch) -> tuple[Tensor, Tensor]:
    """Where goals may be.

    Returns:
        ``[B, M, M]`` bool, and ``[B, M, M]`` int16 steps from the start. Where the walls leave no cell at the walks that the
        genome asks for, goals may be at any but the start; and the same where the split leaves none.
    """
    leaves = envs.leaves
    walk = distances(leaves["free"], start(envs))
    anywhere = (walk > 0) & (walk < FAR)
    low, high = leaves["goal"][:, 0, None, None], leaves["goal"][:, 1, None, None]
    asked = anywhere & (walk >= low) & (walk <= high)
    asked = torch.where(_some(asked), asked, anywhere)
    # By walk, then in reading order: cells that are kept away are neither nearer nor farther than others.
    rank = torch.argsort(torch.argsort(torch.where(anywhere, walk, FAR).flatten(1), dim=1, stable=True), dim=1)
    fourth = (rank.reshape(walk.shape) % FOLDS == FOLDS // 2) & asked
    split = leaves["split"][:, None, None]
    kept = torch.where(split == ALL, asked, torch.where(split == UNSEEN, fourth, asked & ~fourth))
    return torch.where(_some(kept), kept, asked), walk


def describe(envs: Batch) -> Tensor:
    """``[B, 10]`` float64 descriptions.

    Size; walls in each quarter of the inside, in percent; dead ends, in percent of free cells; nearest, mean and farthest walk
    to a goal; length of a life in tens of steps.
    """
    free, size = envs.leaves["free"], envs.leaves["size"]
    canvas = free.shape[1]
    within, late = inside(size, canvas), torch.arange(canvas, device=free.device)[None] >= size[:, None] // 2
    down, right = late[:, :, None].expand_as(free), late[:, None, :].expand_as(free)
    quarters = [_percent(~free, within & (down == low) & (right == east)) for low in (False, True) for east in (False, True)]
    ways = torch.stack([shifted(free, *move) for move in MOVES]).sum(dim=0)
    where, walk = goals(envs)
    steps = walk.to(torch.int64)
    far = torch.where(where, steps, 0).flatten(1)
    columns = [
        size.double(),
        *quarters,
        _percent(ways == 1, free),
        torch.where(where, steps, FAR).flatten(1).amin(dim=1).double(),
        far.sum(dim=1).double() / count(where).double(),
        far.amax(dim=1).double(),
        envs.leaves["steps"].double() / 10.0,
    ]
    return torch.stack(columns, dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64: Euclidean distance of descriptions."""
    # Differences, not the faster matrix product, so that equal mazes are at exactly 0.
    return (describe(a)[:, None] - describe(b)[None]).square().sum(dim=-1).sqrt()


def on_canvas(envs: Batch, canvas: int) -> Batch:
    """The same mazes on a canvas at least as large as their own."""
    room = canvas - envs.leaves["free"].shape[1]
    if not room:
        return envs
    free = torch.nn.functional.pad(envs.leaves["free"], (0, room, 0, room))
    return Batch(kind(canvas), envs.ids, {**envs.leaves, "free": free})


def _percent(some: Tensor, of: Tensor) -> Tensor:
    return 100.0 * count(some & of).double() / count(of).double()


def _some(cells: Tensor) -> Tensor:
    return cells.flatten(1).any(dim=1)[:, None, None]
