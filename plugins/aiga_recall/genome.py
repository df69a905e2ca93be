"""The genome of a recall task: how many patterns are shown, for how long, and how much of one is then blanked.

Leaves of a batch of ``B`` tasks:

================  =======  ============================================================================
``bits``          ``[B]``  numbers of a pattern in use (int64); the rest of what is perceived stays 0
``patterns``      ``[B]``  patterns of an episode (int64)
``cycles``        ``[B]``  how often all of them are shown, in a new order each time (int64)
``presentation``  ``[B]``  steps for which a pattern is shown (int64)
``gap``           ``[B]``  steps without anything after each (int64)
``probe``         ``[B]``  steps for which one of them is shown again, in part (int64)
``blank``         ``[B]``  the share of it that is blanked (float64)
``held_out``      ``[B]``  1 where images are those kept for testing, else 0 (int64); never mutated
================  =======  ============================================================================

Patterns are no part of it: they are drawn for each episode.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream
from aiga.data import Leaves

VERSION: Final = 1
Category = Literal["bits", "patterns", "cycles", "presentation", "gap", "probe", "blank"]


class Range(NamedTuple):
    """What one number of a genome may be, and how far a mutation moves it."""

    low: float
    high: float
    step: float


MOST_PATTERNS: Final = 16
RANGES: Final[Mapping[Category, Range]] = {
    "bits": Range(4, torch.inf, 2),
    "patterns": Range(1, MOST_PATTERNS, 1),
    "cycles": Range(1, 16, 1),
    "presentation": Range(1, 50, 1),
    "gap": Range(0, 50, 1),
    "probe": Range(1, 50, 1),
    "blank": Range(0.1, 0.9, 0.1),
}
DESCRIBED: Final = tuple(RANGES)

Numbers = Mapping[Category, float]
NAMED: Final[Mapping[str, Numbers]] = {
    # Two patterns shown once, with which the paper compares recurrent networks; five of its first figure; three images.
    "pair": {"patterns": 2, "cycles": 1, "presentation": 3, "gap": 1, "probe": 3, "blank": 0.5},
    "five": {"patterns": 5, "cycles": 2, "presentation": 6, "gap": 4, "probe": 6, "blank": 0.5},
    "three": {"patterns": 3, "cycles": 3, "presentation": 20, "gap": 2, "probe": 3, "blank": 0.5},
}


def first(binary: bool, start: Numbers) -> Numbers:
    """The numbers of the first tasks but for their bits: those of ``pair`` for binary patterns, of ``three`` for images."""
    return {**NAMED["pair" if binary else "three"], **start}


def steps_of(numbers: Numbers) -> int:
    """Steps of an episode."""
    shown = numbers["cycles"] * numbers["patterns"] * (numbers["presentation"] + numbers["gap"])
    return round(shown + numbers["probe"])


def tasks(kind: Kind, count: int, numbers: Numbers, held_out: bool = False) -> Batch:
    """``count`` tasks of the same numbers."""
    leaves: Leaves = {
        name: torch.full((count,), numbers[name], dtype=torch.float64 if name == "blank" else torch.int64) for name in DESCRIBED
    }
    return Batch.of(kind, {**leaves, "held_out": torch.full((count,), int(held_out), dtype=torch.int64)})


def length(leaves: Leaves) -> Tensor:
    """``[B]`` int64: steps of an episode."""
    return shown(leaves) + leaves["probe"]


def shown(leaves: Leaves) -> Tensor:
    """``[B]`` int64: steps before the probe."""
    return leaves["cycles"] * leaves["patterns"] * (leaves["presentation"] + leaves["gap"])


def mutate(rng: Stream, parents: Batch, categories: Collection[Category], bits: int, steps: int) -> Batch:
    """One child for each of ``B`` parents: every number that may change goes a step up, a step down, or stays.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: tasks.
        categories: what may change.
        bits: the longest pattern.
        steps: the longest episode; a child whose would be longer takes the times of its parent, and its patterns.
    """
    rng = rng.each(len(parents))
    old, new = parents.leaves, dict(parents.leaves)
    for name in DESCRIBED:
        if name not in categories:
            continue
        low, high, step = RANGES[name]
        moved = old[name] + step * rng.child(name).integers(-1, 2).to(old[name].dtype).to(old[name].device)
        moved = moved.clamp(low, min(high, bits) if name == "bits" else high)
        new[name] = (moved * 10).round() / 10 if name == "blank" else moved.to(torch.int64)
    long = length(new) > steps
    times: tuple[Category, ...] = ("patterns", "cycles", "presentation", "gap", "probe")
    return Batch.of(parents.kind, {**new, **{name: torch.where(long, old[name], new[name]) for name in times}})


def describe(envs: Batch) -> Tensor:
    """``[B, 7]`` float64: the numbers in the order of ``DESCRIBED``; ``held_out`` is left out."""
    return torch.stack([envs.leaves[name].double() for name in DESCRIBED], dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64: Euclidean distance of descriptions, in steps of mutation."""
    scale = torch.tensor([RANGES[name].step for name in DESCRIBED], dtype=torch.float64)
    # Differences, not a matrix product, so that equal tasks are at exactly 0.
    apart = (describe(a)[:, None] - describe(b)[None]) / scale.to(a.device)
    return apart.square().sum(dim=-1).sqrt()
