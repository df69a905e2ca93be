"""The genome of a cue-reward task: how many cues, of how many bits, with how many distractions, in how long a life.

Leaves of a batch of ``B`` tasks, int64:

==========  =======  ==================================================================================================
``cues``    ``[B]``  cues of a life, even; half of them are shown in a trial
``bits``    ``[B]``  of a cue
``blanks``  ``[B]``  greatest number of blank steps among the cues of a trial
``steps``   ``[B]``  length of a life
``pool``    ``[B]``  how many cues the task has, of which a life gets some; 0 for cues made anew in every life
``seed``    ``[B]``  fixes the pool; no part of the description
==========  =======  ==================================================================================================

Cues made anew must be learnt within the life; those of a small pool can be inherited.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream

VERSION: Final = 1
MOST_CUES: Final = 8
MOST_BLANKS: Final = 6
MOST_BITS: Final = 24
POOLS: Final = (2, 4, 8, 16, 0)  # from the fewest cues to new ones in every life
_GENES: Final = ("cues", "bits", "blanks", "steps", "pool")


def kind() -> Kind:
    """The kind of all tasks."""
    return Kind("cue", {"version": VERSION})


def task(cues: int, bits: int, blanks: int, steps: int, pool: int, seed: Tensor) -> Batch:
    """Tasks that differ in their ``seed`` alone, ``[B]`` int64."""
    numbers = {"cues": cues, "bits": bits, "blanks": blanks, "steps": steps, "pool": pool}
    return Batch.of(kind(), {**{name: torch.full_like(seed, number) for name, number in numbers.items()}, "seed": seed})


def longest(cues: Tensor, blanks: Tensor) -> Tensor:
    """``[B]``: steps of the longest trial: a blank, half of the cues, blanks among them, the question, a blank."""
    return cues // 2 + blanks + 3


def mutate(rng: Stream, parents: Batch, max_bits: int, max_steps: int) -> Batch:
    """One child for each of ``B`` parents: every gene moves by one step with a chance of a half, and one at least.

    A third of a child's life has room for its longest trial, and it has bits enough for twice as many cues as it needs.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: tasks.
        max_bits: of a cue.
        max_steps: longest life.
    """
    rng = rng.each(len(parents))
    device, old = parents.device, parents.leaves
    chosen = rng.child("which").uniform(len(_GENES), device=device) < 0.5
    sure = torch.nn.functional.one_hot(rng.child("sure").integers(0, len(_GENES), device=device), len(_GENES)).bool()
    way = torch.where(rng.child("way").uniform(len(_GENES), device=device) < 0.5, 1, -1) * (chosen | sure)
    move = dict(zip(_GENES, way.unbind(dim=1), strict=True))
    cues = (old["cues"] + 2 * move["cues"]).clamp(2, MOST_CUES)
    ladder = torch.tensor(POOLS, device=device)
    place = ((old["pool"][:, None] == ladder).to(torch.int64).argmax(dim=1) + move["pool"]).clamp(0, len(POOLS) - 1)
    pool = ladder[place]
    pool = torch.where((pool > 0) & (pool < cues), MOST_CUES, pool)
    least = torch.ceil(torch.log2(2.0 * torch.maximum(cues, pool).double())).to(torch.int64)
    bits = torch.maximum((old["bits"] + move["bits"]).clamp(max=max_bits), least)
    # Fewer blanks where the longest life has no room for three of the longest trials.
    most = (max_steps // 3 - longest(cues, torch.zeros_like(cues))).clamp(0, MOST_BLANKS)
    blanks = torch.minimum((old["blanks"] + move["blanks"]).clamp(min=0), most)
    steps = torch.maximum(old["steps"] + 10 * move["steps"], 3 * longest(cues, blanks)).clamp(max=max_steps)
    leaves = {"cues": cues, "bits": bits, "blanks": blanks, "steps": steps, "pool": pool}
    return Batch.of(parents.kind, {**leaves, "seed": rng.child("seed").words(device=device)})


def describe(envs: Batch) -> Tensor:
    """``[B, 5]`` float64: cues, bits, blanks, tens of steps of a life, and in bits, of how many cues a life's are."""
    leaves = {name: leaf.double() for name, leaf in envs.leaves.items()}
    choice = torch.where(leaves["pool"] > 0, leaves["pool"].clamp(min=1.0).log2(), leaves["bits"])
    return torch.stack([leaves["cues"], leaves["bits"], leaves["blanks"], leaves["steps"] / 10.0, choice], dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64: Euclidean distance of descriptions."""
    # Differences, not the faster matrix product, so that equal tasks are at exactly 0.
    return (describe(a)[:, None] - describe(b)[None]).square().sum(dim=-1).sqrt()
