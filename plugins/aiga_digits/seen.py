"""Images as agents see them in an environment, and what they are told is on them."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from aiga import Stream
from aiga.crossing import onto
from aiga.data import Leaves
from aiga.resample import bilinear, turned
from aiga.streams import combine, derive, mix
from aiga.tiles import Picture
from aiga_digits.genome import available, members
from aiga_digits.shelves import Chosen, Shelf
from aiga_digits.sources import SPLITS, Collection, Split

_WRONG: Final = derive("digits", "wrong label", 1)
_PIXELS: Final = derive("digits", "pixels", 1)
_WORD: Final = 0xFFFFFFFF


class Images:
    """A collection on one device.

    Args:
        collection: the images.
        device: where environments are lived in.
        jitter: pixels that :meth:`examples` are moved by at most, each way.
    """

    def __init__(self, collection: Collection, device: torch.device, jitter: float = 0.0) -> None:
        self._images, self._labels = onto(collection.images, device), onto(collection.labels, device)
        self._mean, self._deviation = (onto(part, device) for part in collection.scale)
        self._brightest, self._jitter = float(collection.images.max()), jitter
        self.shelves: dict[Split, Shelf] = {
            split: Shelf(collection.labels, collection.splits[split]).to(device) for split in SPLITS
        }

    def learnable(self, leaves: Leaves) -> Chosen:
        """What may be learnt from in each of ``B`` environments."""
        shelf = self.shelves["train"]
        return shelf.choose(members(leaves["classes"]), available(leaves, shelf.count), leaves["seed"])

    def examples(self, leaves: Leaves, stream: Stream, count: int) -> tuple[Tensor, Tensor]:
        """``[B, count, C, H, W]`` images to learn from, any of them several times, and ``[B, count]`` what is said of them.

        Each is moved at random, anew whenever it is shown, where there is ``jitter``.
        """
        rows = self.drawn(leaves, stream, count)
        by = None
        if self._jitter:
            by = stream.child("jitter").uniform(count, 2, low=-self._jitter, high=self._jitter, device=rows.device).float()
        return self.show(leaves, rows, by), self.told(leaves, rows)

    def drawn(self, leaves: Leaves, stream: Stream, count: int) -> Tensor:
        """``[B, count]`` int64 rows of images to learn from; ``stream`` has a row key for each environment."""
        chosen = self.learnable(leaves)
        words = stream.child("example").words(count, device=leaves["seed"].device)
        return self.shelves["train"].at(chosen, (words * chosen.total[:, None]) >> 32)

    def label(self, rows: Tensor) -> Tensor:
        """``[B, T]`` int64: what is on these images."""
        return self._labels[rows]

    def told(self, leaves: Leaves, rows: Tensor) -> Tensor:
        """``[B, T]`` int64: what whoever learns from these images is told; a wrong label is always the same."""
        label, there = self._labels[rows], members(leaves["classes"])
        words = combine(_WRONG, leaves["seed"][:, None], rows)
        wrong = (words & _WORD).double() * 2.0**-32 < leaves["noise"][:, None]
        # Classes of a task in order, then the others; and where each class is among them.
        names = (~there).to(torch.uint8).argsort(dim=1, stable=True)
        place = there.cumsum(dim=1).gather(1, label) - 1
        count = there.sum(dim=1, keepdim=True)
        other = place + 1 + ((((words >> 32) & _WORD) * (count - 1)) >> 32)
        return torch.where(wrong, names.gather(1, other % count), label)

    def show(self, leaves: Leaves, rows: Tensor, by: Tensor | None = None) -> Tensor:
        """``[B, T, C, H, W]`` float32, in standard deviations from the mean of what is learnt from.

        Args:
            leaves: of ``B`` tasks.
            rows: ``[B, T]`` int64.
            by: ``[B, T, 2]`` pixels that images are moved to the right and down, before what the task does to them.
        """
        x = self._images[rows].float()
        if by is not None:
            right, down = (part[..., None, None, None] for part in by.unbind(2))
            down_at, right_at = (torch.arange(size, device=x.device) for size in x.shape[-2:])
            x = bilinear(x, right_at - right, down_at[:, None] - down)
        bent = (leaves["rotation"] != 0.0) | (leaves["right"] != 0.0) | (leaves["down"] != 0.0)
        if bool(bent.any()):
            x = torch.where(_beside(bent, x), _moved(x, leaves), x)
        x = (x - self._mean) / self._deviation * _beside(leaves["contrast"].float(), x)
        if bool((leaves["pixels"] > 0.0).any()):
            x = x + _beside(leaves["pixels"].float(), x) * _noise(leaves["seed"], rows, x)
        return x

    def pixels(self, x: Tensor) -> Picture:
        """``[..., H, W, 3]`` of images as they are seen, for people."""
        there = (x * self._deviation + self._mean) / self._brightest
        colours = there.expand(*x.shape[:-3], 3, *x.shape[-2:]).movedim(-3, -1)
        return (colours.clamp(0.0, 1.0) * 255.0).round().to("cpu", torch.uint8).numpy()


def logits_of(leaves: Leaves, logits: Tensor) -> Tensor:
    """``[B, T, 10]``, with nothing left for classes that are not in the task."""
    return logits.masked_fill(~members(leaves["classes"])[:, None], -torch.inf)


def _moved(images: Tensor, leaves: Leaves) -> Tensor:
    """``[B, T, C, H, W]`` images turned about their middle, then moved."""
    high, wide = images.shape[-2:]
    cosine, sine = (_beside(part.float(), images) for part in turned(leaves["rotation"] * (math.pi / 180.0)))
    right, down = (_beside(leaves[name].float(), images) for name in ("right", "down"))
    x = torch.arange(wide, dtype=torch.float32, device=images.device) - (wide - 1) / 2.0 - right * wide
    y = torch.arange(high, dtype=torch.float32, device=images.device)[:, None] - (high - 1) / 2.0 - down * high
    return bilinear(images, cosine * x + sine * y + (wide - 1) / 2.0, cosine * y - sine * x + (high - 1) / 2.0)


def _noise(seed: Tensor, rows: Tensor, like: Tensor) -> Tensor:
    """``[B, T, C, H, W]`` even noise of mean 0 and deviation 1: the same for an image whenever it is seen."""
    keys = combine(_PIXELS, seed[:, None], rows)
    words = mix(keys[..., None] + torch.arange(like[0, 0].numel(), device=rows.device))
    even = ((words >> 40) & 0xFFFFFF).float() * 2.0**-24 - 0.5
    return (even * math.sqrt(12.0)).reshape(like.shape)


def _beside(number: Tensor, images: Tensor) -> Tensor:
    return number.reshape(-1, *[1] * (images.ndim - 1))
