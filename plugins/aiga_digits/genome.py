"""What fixes a task of telling images apart: which classes, how many examples, how many wrong labels, and how images are seen.

Leaves of a batch of ``B`` environments:

=============  =======  =====================================================================================
``classes``    int64    bit ``c`` is set where class ``c`` is in the task; two at least
``halvings``   int64    how often the examples to learn from were halved; 0 for all of these classes
``noise``      float64  share of those examples whose label is another of the task's classes
``rotation``   float64  degrees by which every image is turned, clockwise
``right``      float64  how far it is moved, in widths
``down``       float64  how far it is moved, in heights
``contrast``   float64  what its distance from the training set's mean is multiplied by; 1 as it is
``pixels``     float64  deviation of the noise in each pixel, in standard deviations of the training set
``seed``       int64    which examples, which of them have a wrong label, the noise; no part of the description
=============  =======  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream
from aiga.data import Leaves
from aiga.image_files import CLASSES

VERSION: Final = 1
Category = Literal["classes", "examples", "noise", "rotation", "shift", "contrast", "pixels"]
CATEGORIES: Final[tuple[Category, ...]] = ("classes", "examples", "noise", "rotation", "shift", "contrast", "pixels")
ALL: Final = 2**CLASSES - 1


class Range(NamedTuple):
    """What a number of a genome may be, how far a mutation moves it, and by what category."""

    low: float
    high: float
    step: float
    plain: float
    category: Category


RANGES: Final[Mapping[str, Range]] = {
    # Two classes of which half the labels are wrong could not be told apart.
    "noise": Range(0.0, 0.4, 0.1, 0.0, "noise"),
    "rotation": Range(-30.0, 30.0, 10.0, 0.0, "rotation"),
    "right": Range(-0.25, 0.25, 0.125, 0.0, "shift"),
    "down": Range(-0.25, 0.25, 0.125, 0.0, "shift"),
    "contrast": Range(0.4, 1.6, 0.2, 1.0, "contrast"),
    "pixels": Range(0.0, 1.0, 0.25, 0.0, "pixels"),
}
_FEWEST: Final = 25  # examples of all classes that halving leaves, at least
_OTHERS: Final = 0.125  # chance of each gene to move beside the one that must


def plain(kind: Kind, count: int) -> Batch:
    """The plain task as ``count`` rows: every class, every example, no wrong label, images as they are."""
    whole = {"classes": ALL, "halvings": 0, "seed": 0}
    leaves: Leaves = {name: torch.full((count,), value) for name, value in whole.items()}
    leaves |= {name: torch.full((count,), one.plain, dtype=torch.float64) for name, one in RANGES.items()}
    return Batch.of(kind, leaves)


def initial(rng: Stream, kind: Kind, count: int, examples: int, categories: Collection[Category]) -> Batch:
    """The plain task, and ``count - 1`` children of it."""
    first = plain(kind, count)
    children = mutate(rng.each(count), first, examples, categories)
    rest = torch.arange(count) > 0
    return Batch.of(kind, {name: torch.where(rest, children.leaves[name], leaf) for name, leaf in first.leaves.items()})


def mutate(rng: Stream, parents: Batch, examples: int, categories: Collection[Category]) -> Batch:
    """One child for each of ``B`` parents: one gene moves by a step for certain, the others with a chance of 1/8 each.

    At the end of its range a gene moves back, so that a child always differs; of the classes one goes or comes. Which examples
    it has is drawn anew.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: tasks.
        examples: that there are of all classes.
        categories: what may change.
    """
    rng, old, device = rng.each(len(parents)), parents.leaves, parents.device
    genes = [
        *(name for name in ("classes", "examples") if name in categories),
        *(name for name, one in RANGES.items() if one.category in categories),
    ]
    sure = rng.child("sure").integers(0, len(genes), device=device)[:, None] == torch.arange(len(genes), device=device)
    moved = sure | (rng.child("which").uniform(len(genes), device=device) < _OTHERS)
    way = torch.where(rng.child("way").uniform(len(genes), device=device) < 0.5, 1, -1)
    new = dict(old)
    for gene, moves, sign in zip(genes, moved.unbind(dim=1), way.unbind(dim=1), strict=True):
        name = "halvings" if gene == "examples" else gene
        if gene == "classes":
            stepped = _flipped(rng.child("class").words(CLASSES, device=device), old["classes"])
        elif gene == "examples":
            stepped = _reflected(old[name], sign, 0, _most_halvings(examples))
        else:
            low, high, step = RANGES[gene][:3]
            # In whole steps, so that a number is the same whichever way it was come by.
            stepped = _reflected((old[gene] / step).round(), sign, round(low / step), round(high / step)) * step
        new[name] = torch.where(moves, stepped, old[name])
    words = rng.child("seed").words(2, device=device)
    new["seed"] = (words[:, 0] << 31) ^ words[:, 1]
    return Batch.of(parents.kind, new)


def members(classes: Tensor) -> Tensor:
    """``[B, 10]`` bool: which classes are in the task."""
    return (classes[:, None] >> torch.arange(CLASSES, device=classes.device)) & 1 == 1


def available(leaves: Leaves, there: Tensor) -> Tensor:
    """``[B]`` int64: examples to learn from, where there are ``[10]`` of each class."""
    every = torch.where(members(leaves["classes"]), there.to(leaves["classes"].device), 0).sum(dim=1)
    return (every >> leaves["halvings"]).clamp(min=1)


def describe(envs: Batch, there: Tensor) -> Tensor:
    """``[B, 17]`` float64: 1 for each class that is in the task, the six numbers of ``RANGES``, examples to learn from.

    Args:
        envs: tasks.
        there: ``[10]`` int64 examples of each class.
    """
    leaves = envs.leaves
    bits = members(leaves["classes"]).double()
    numbers = torch.stack([leaves[name] for name in RANGES], dim=1).double()
    return torch.cat([bits, numbers, available(leaves, there).double()[:, None]], dim=1)


def distance(a: Tensor, b: Tensor) -> Tensor:
    """``[A, B]`` float64: Euclidean distance of descriptions, in steps of mutation; examples count by doublings."""
    # Differences, not a matrix product, so that equal tasks are at exactly 0.
    return (_scaled(a)[:, None] - _scaled(b)[None]).square().sum(dim=-1).sqrt()


def _scaled(described: Tensor) -> Tensor:
    steps = torch.tensor([*[1.0] * CLASSES, *(one.step for one in RANGES.values())], dtype=torch.float64)
    return torch.cat([described[:, :-1] / steps.to(described.device), described[:, -1:].log2()], dim=1)


def _flipped(words: Tensor, classes: Tensor) -> Tensor:
    """``classes`` with one random class more or less; of two none goes."""
    there = members(classes)
    may = ~there | (there.sum(dim=1) > 2)[:, None]
    keys = torch.where(may, words * CLASSES + torch.arange(CLASSES, device=words.device), -1)
    return classes ^ (1 << keys.argmax(dim=1))


def _reflected(now: Tensor, sign: Tensor, low: int, high: int) -> Tensor:
    there = now + sign
    return torch.where((there < low) | (there > high), now - sign, there)


def _most_halvings(examples: int) -> int:
    return max(1, (examples // _FEWEST).bit_length() - 1)
