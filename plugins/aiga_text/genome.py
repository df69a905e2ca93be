"""What fixes a passage: where it begins and how many words it has.

``start`` and ``length`` are ``[B]`` int64, in words of one part of the text, which the kind's structure names.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream
from aiga_text.corpus import LEAST, Split

VERSION: Final = 1
_LONGER: Final = 0.25  # by how much of its length a passage grows, shrinks and moves in a mutation, at most


def kind(split: Split = "train") -> Kind:
    """The kind of passages of one part of the text."""
    return Kind("text", {"version": VERSION, "split": split})


def passages(start: Tensor, length: Tensor, split: Split = "train") -> Batch:
    """Passages that begin at ``[B]`` int64 words and are ``[B]`` words long."""
    return Batch.of(kind(split), {"start": start.to(torch.int64), "length": length.to(torch.int64)})


def initial(rng: Stream, count: int, total: int, length: int) -> Batch:
    """``count`` passages of ``length`` words, anywhere in the ``total`` words to learn with; all of these if they are fewer."""
    rng = rng.each(count)
    length = min(length, total)
    start = (rng.child("start").uniform() * (total - length + 1)).long()
    return passages(start, torch.full((count,), length))


def mutate(rng: Stream, parents: Batch, total: int) -> Batch:
    """One child for each of ``B`` passages: a little longer or shorter, a little earlier or later.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: passages of any part; children are of the one to learn with.
        total: words of that.
    """
    rng = rng.each(len(parents))
    start, length = parents.leaves["start"], parents.leaves["length"]
    longer = (rng.child("length").uniform(low=-_LONGER, high=_LONGER) * length).round().long()
    later = (rng.child("start").uniform(low=-_LONGER, high=_LONGER) * length).round().long()
    new = (length + longer).clamp(min=LEAST, max=total)
    return passages((start + later).clamp(min=0).minimum(total - new), new)


def describe(envs: Batch) -> Tensor:
    """``[B, 2]`` float64: first word and number of words."""
    return torch.stack([envs.leaves["start"], envs.leaves["length"]], dim=1).double()


def named(length: int, split: Split, count: int) -> Batch:
    """A part of ``length`` words, cut into ``count`` passages of one length; the few words that remain are left out."""
    each = length // count
    return passages(torch.arange(count) * each, torch.full((count,), each), split)
