"""Images to recall: grey, without their mean, within -1 and 1; the probe shows the upper or lower part (Miconi et al. 2018)."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from aiga import InputError, Stream
from aiga.data import Leaves
from aiga.image_files import cifar10

Collection = Literal["digits", "photographs", "cifar-10"]
SIDES: Final = {"digits": 8, "photographs": 32, "cifar-10": 32}

_KEPT: Final = 5  # one digit of so many is kept for testing


class Grey(NamedTuple):
    """``[N, W]`` int16 images, the first ``learnt`` of them to learn from, the others kept for testing."""

    images: Tensor
    learnt: int


class Images:
    """Images as patterns; implements :class:`aiga_recall.episodes.Source`. Nothing is read before it is needed.

    Args:
        collection: ``digits`` of scikit-learn, 8 x 8; its two ``photographs`` cut into squares of 32 x 32, one to learn from
            and one kept for testing; or ``cifar-10``.
        folder: where CIFAR-10's binary version is.

    Attributes:
        width: pixels.
    """

    def __init__(self, collection: Collection, folder: Path | None = None) -> None:
        self.collection: Collection = collection
        self.width = SIDES[collection] ** 2
        self._folder = folder
        self._there: dict[torch.device, Tensor] = {}

    @cached_property
    def grey(self) -> Grey:
        """What there is.

        Raises:
            InputError: if it cannot be read.
        """
        if self.collection == "digits":
            return digits()
        return photographs() if self.collection == "photographs" else cifar(self._folder)

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of what the images hold."""
        return hashlib.sha256(self.grey.images.numpy().tobytes()).hexdigest()[:16]

    def check(self, learnt: int, kept: int) -> None:
        """Whether there are so many images to learn from, and so many kept for testing: an episode shows none twice.

        Raises:
            InputError: if there are fewer, or they cannot be read.
        """
        there = self.grey.learnt, len(self.grey.images) - self.grey.learnt
        for count, needed, use in zip(there, (learnt, kept), ("to learn from", "kept for testing"), strict=True):
            if count < needed:
                where = f" in {str(self._folder)!r}" if self._folder else ""
                raise InputError(
                    f"recall: source = {self.collection!r} has {count} images {use}{where}, and an episode may show {needed} "
                    "different ones. Give more images, or write fewer patterns in start, and categories without patterns, in "
                    "[plugins.recall.options]."
                )

    def patterns(self, rng: Stream, leaves: Leaves, count: int) -> Tensor:
        """See :class:`aiga_recall.episodes.Source`."""
        device = leaves["bits"].device
        if device not in self._there:
            self._there[device] = self.grey.images.to(device)
        images, learnt = self._there[device], self.grey.learnt
        out = leaves["held_out"] == 1
        there, first = torch.where(out, len(images) - learnt, learnt), torch.where(out, learnt, 0)
        chosen = _different(rng.child("image").words(count, device=device), there)
        return scaled(images[chosen + first[:, None]])

    def blanked(self, rng: Stream, leaves: Leaves) -> Tensor:
        """See :class:`aiga_recall.episodes.Source`."""
        device, side = leaves["bits"].device, SIDES[self.collection]
        hidden = (leaves["blank"] * side).round().long()[:, None]
        upper = rng.child("half").integers(0, 2, device=device)[:, None] == 0
        row = torch.arange(self.width, device=device) // side
        return torch.where(upper, row < hidden, row >= side - hidden)


def scaled(grey: Tensor) -> Tensor:
    """``[..., W]`` float32: without its mean, the largest absolute value being 1; an image of one grey is all zeros."""
    # Whole numbers add up to the same in any order.
    centred = grey.double() - grey.long().sum(dim=-1, keepdim=True).double() / grey.shape[-1]
    return (centred / centred.abs().amax(dim=-1, keepdim=True).clamp(min=1e-6)).float()


def digits() -> Grey:
    """Scikit-learn's 1,797 handwritten digits; every fifth is kept for testing."""
    images = torch.from_numpy(_scikit_learn().load_digits().data.astype(np.int16))
    kept = torch.arange(len(images)) % _KEPT == 0
    return Grey(torch.cat([images[~kept], images[kept]]), int((~kept).sum()))


def photographs() -> Grey:
    """Scikit-learn's photographs of a temple, to learn from, and of a flower, kept for testing: 260 squares each."""
    side = SIDES["photographs"]
    parts = []
    for photograph in _scikit_learn().load_sample_images().images:
        grey = torch.from_numpy(photograph.astype(np.int16).sum(axis=2, dtype=np.int16))
        parts.append(grey.unfold(0, side, side).unfold(1, side, side).reshape(-1, side * side))
    return Grey(torch.cat(parts), len(parts[0]))


def cifar(folder: Path | None) -> Grey:
    """CIFAR-10 (Krizhevsky 2009): 50,000 images to learn from, and 10,000 of its test set; each the sum of its colours.

    Raises:
        InputError: if the folder is not that of the binary version, or a file of it is cut off.
    """
    if folder is None:
        raise InputError('recall: source = "cifar-10" needs folder = "...", that of CIFAR-10\'s binary version')
    images, _, learnt = cifar10(folder, "[plugins.recall.options] folder")
    return Grey(images.sum(dim=1, dtype=torch.int16).flatten(1), learnt)


def _different(words: Tensor, there: Tensor) -> Tensor:
    """``[P, K]`` numbers below ``there`` ``[P]``, no two of a row equal, made of 32-bit words ``[P, K]``."""
    chosen = list[Tensor]()
    for place in range(words.shape[1]):
        number = (words[:, place] * (there - place)) >> 32
        if chosen:
            for taken in torch.stack(chosen, dim=1).sort(dim=1).values.unbind(dim=1):
                number = number + (number >= taken)
        chosen.append(number)
    return torch.stack(chosen, dim=1)


def _scikit_learn() -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise InputError(
            "recall: digits and photographs are scikit-learn's, which is not installed. Install aiga[images], or write "
            'source = "binary".'
        ) from None
    return datasets
