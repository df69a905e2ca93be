"""Which images a task has: of each class a window in one fixed random order of its images, wherever the task's seed puts it.

So ``B`` tasks choose at once, and nothing is sorted or copied for any of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from aiga import Stream
from aiga.crossing import onto
from aiga.image_files import CLASSES
from aiga.streams import combine, derive

_ORDER: Final = Stream(derive("digits", "order", 1))
_WINDOW: Final = derive("digits", "window", 1)


class Chosen(NamedTuple):
    """What ``B`` tasks have of a shelf.

    Attributes:
        begin: ``[B, 10]`` int64, where each class' window begins.
        upto: ``[B, 10]`` int64, how many images this class and those before it have.
        total: ``[B]`` int64, of all classes.
    """

    begin: Tensor
    upto: Tensor
    total: Tensor


class Shelf:
    """The images of one use, class by class.

    Args:
        labels: ``[N]`` int64 of all images.
        rows: ``[n]`` int64, those of this use.
    """

    def __init__(self, labels: Tensor, rows: Tensor) -> None:
        mixed = rows[_ORDER.permutation(len(rows))]
        of = labels[mixed]
        self.order = mixed[of.argsort(stable=True)]
        self.count = torch.bincount(of, minlength=CLASSES)
        self._first = self.count.cumsum(0) - self.count

    def to(self, device: torch.device) -> Shelf:
        """The same shelf there."""
        there = object.__new__(Shelf)
        there.order, there.count, there._first = (onto(part, device) for part in (self.order, self.count, self._first))
        return there

    def choose(self, members: Tensor, total: Tensor, seed: Tensor) -> Chosen:
        """Windows of so many images in all, each class having its share of them.

        Args:
            members: ``[B, 10]`` bool, classes of each task.
            total: ``[B]`` int64 images; no more than there are of these classes.
            seed: ``[B]`` int64, what decides where windows begin.
        """
        there = torch.where(members, self.count, 0)
        upto = there.cumsum(dim=1)
        # Rounded down at every class' end: shares add up to the total, and none is larger than its class.
        upto = upto * total[:, None] // upto[:, -1:]
        words = combine(_WINDOW, seed[:, None], torch.arange(CLASSES, device=seed.device)) & 0xFFFFFFFF
        return Chosen((words * self.count) >> 32, upto, total)

    def at(self, chosen: Chosen, place: Tensor) -> Tensor:
        """``[B, T]`` int64 rows of images, of places ``[B, T]`` below each task's total."""
        which = (place[..., None] >= chosen.upto[:, None]).sum(dim=-1)
        before = torch.nn.functional.pad(chosen.upto, (1, 0)).gather(1, which)
        inside = (chosen.begin.gather(1, which) + place - before) % self.count[which]
        return self.order[self._first[which] + inside]
