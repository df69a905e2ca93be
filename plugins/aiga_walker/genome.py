"""POET's genome of an obstacle course: how rough, how wide the pits, how high stumps and stairs (Wang et al. 2019).

A genome holds ranges that a terrain draws from. A category that is not there yet is all zeros; its first mutation
brings the first value of POET's table, later ones move it. Leaves of a batch of ``B`` courses:

===============  ===========  =====================================================================
``roughness``    ``[B]``      factor on the ground's slope, 0 (flat) to 10; Gymnasium's own course has 1
``gap``          ``[B, 2]``   least and greatest clear width of a pit, in cells of 14/30 m
``stump``        ``[B, 2]``   least and greatest height of a stump, in cells
``stair``        ``[B, 2]``   least and greatest height of a step of a stair, in cells
``stair_steps``  ``[B]``      steps of every stair (int64)
``seed``         ``[B]``      fixes the terrain (int64); no part of the description
===============  ===========  =====================================================================
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream
from aiga.data import Leaves

VERSION: Final = 1
Category = Literal["roughness", "pit", "stump", "stair"]

MAX_ROUGHNESS: Final = 10.0
ROUGHNESS_STEP: Final = 0.6
MAX_HEIGHT: Final = 5.0  # of stumps and of steps, in cells
MAX_STEPS: Final = 9
GAP_STEP, GAP_FIRST = 0.4, (0.0, 0.8)
HEIGHT_STEP, HEIGHT_FIRST = 0.2, (0.0, 0.4)

# Every change of (low, high) by one step up, none or one step down, but for no change at all.
MOVES: Final = tuple((low, high) for low in (1, 0, -1) for high in (1, 0, -1) if (low, high) != (0, 0))


def kind(terrain: str = "poet") -> Kind:
    """The kind of a course whose terrain is drawn as POET does, as Gymnasium (``"gymnasium"``, ``"gymnasium-hardcore"``), or
    by a network (``"cppn"``), of the genome of which only ``roughness`` counts: how far in m it may lead up or down.
    """
    return Kind("walker", {"version": VERSION} if terrain == "poet" else {"version": VERSION, "terrain": terrain})


def courses(
    seed: Tensor,
    roughness: float = 0.0,
    gap: tuple[float, float] = (0.0, 0.0),
    stump: tuple[float, float] = (0.0, 0.0),
    stair: tuple[float, float] = (0.0, 0.0),
    stair_steps: int = 0,
    terrain: str = "poet",
) -> Batch:
    """Courses that differ in their terrain ``seed`` alone, ``[B]`` int64; flat ones by default."""
    count = len(seed)
    leaves = {
        "roughness": torch.full((count,), roughness, dtype=torch.float64),
        "gap": torch.tensor(gap, dtype=torch.float64).repeat(count, 1),
        "stump": torch.tensor(stump, dtype=torch.float64).repeat(count, 1),
        "stair": torch.tensor(stair, dtype=torch.float64).repeat(count, 1),
        "stair_steps": torch.full((count,), stair_steps, dtype=torch.int64),
        "seed": seed.to(torch.int64),
    }
    return Batch.of(kind(terrain), leaves)


def initial(rng: Stream, count: int) -> Batch:
    """``count`` flat courses, each with a terrain seed of its own."""
    return courses(_seeds(rng.each(count)))


def mutate(rng: Stream, parents: Batch, categories: Collection[Category], max_gap: float) -> Batch:
    """One child for each of ``B`` parents: every enabled category changes, and the terrain seed is fresh.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: courses.
        categories: what may change.
        max_gap: greatest width of a pit, in cells.
    """
    old = parents.leaves
    rng = rng.each(len(parents))
    new: Leaves = {**old, "seed": _seeds(rng)}
    if "roughness" in categories:
        change = rng.child("roughness").uniform(low=-ROUGHNESS_STEP, high=ROUGHNESS_STEP)
        new["roughness"] = tenths(old["roughness"] + change).clamp(0.0, MAX_ROUGHNESS)
    if "pit" in categories:
        new["gap"] = _range(rng.child("gap"), old["gap"], GAP_FIRST, GAP_STEP, max_gap)
    if "stump" in categories:
        new["stump"] = _range(rng.child("stump"), old["stump"], HEIGHT_FIRST, HEIGHT_STEP, MAX_HEIGHT)
    if "stair" in categories:
        new["stair"] = _range(rng.child("stair"), old["stair"], HEIGHT_FIRST, HEIGHT_STEP, MAX_HEIGHT)
        new["stair_steps"] = _steps(rng.child("stair_steps"), old["stair_steps"])
    return Batch.of(kind(), new)


def describe(envs: Batch) -> Tensor:
    """``[B, 8]`` float64: roughness, gap, stump and stair ranges, stair steps; zeros for what is not there."""
    leaves = envs.leaves
    parts = [
        leaves["roughness"][:, None],
        leaves["gap"],
        leaves["stump"],
        leaves["stair"],
        leaves["stair_steps"][:, None].double(),
    ]
    return torch.cat(parts, dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64: Euclidean distance of descriptions, as in POET's novelty."""
    # Differences, not the faster matrix product, so that equal courses are at exactly 0.
    return (describe(a)[:, None] - describe(b)[None]).square().sum(dim=-1).sqrt()


def tenths(x: Tensor) -> Tensor:
    """``x`` rounded to tenths, each the double nearest to that decimal: 0.1 + 0.2 is the 0.3 that a file would hold."""
    return torch.round(x * 10.0) / 10.0 + 0.0  # -0.0 would be another hash


def moved(ranges: Tensor, least_high: float, step: float, greatest: float) -> tuple[Tensor, Tensor]:
    """Where each of the eight moves would take ``[B, 2]`` ranges, and which of the moves are legal.

    Returns:
        ``[B, 8, 2]`` new ranges and ``[B, 8]`` bool: low at least 0, high at least ``least_high``, high at most ``greatest``,
        and low at most high.
    """
    to = tenths(ranges[:, None, :] + step * torch.tensor(MOVES, dtype=torch.float64))
    low, high = to[..., 0], to[..., 1]
    return to, (low >= 0.0) & (high >= least_high) & (high <= greatest) & (low <= high)


def _range(rng: Stream, ranges: Tensor, first: tuple[float, float], step: float, greatest: float) -> Tensor:
    to, legal = moved(ranges, first[1], step, greatest)
    # The n-th legal move, n uniform. There always is one: low may rise towards high, or fall.
    nth = (rng.uniform() * legal.sum(dim=1)).long()
    pick = ((legal.cumsum(dim=1) == nth[:, None] + 1) & legal).to(torch.int64).argmax(dim=1)
    later = to[torch.arange(len(to)), pick]
    absent = ranges[:, 1:] == 0.0
    return torch.where(absent, torch.tensor(first, dtype=torch.float64), later)


def _steps(rng: Stream, steps: Tensor) -> Tensor:
    change = torch.where(rng.uniform() < 0.5, -1, 1)
    change = torch.where(steps <= 1, 1, torch.where(steps >= MAX_STEPS, -1, change))
    return steps + change  # from 0, absent, to 1


def _seeds(rng: Stream) -> Tensor:
    words = rng.child("seed").words(2)
    return (words[:, 0] << 31) ^ words[:, 1]
