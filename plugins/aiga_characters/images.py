"""Images as agents see them: from the set on the agents' device, turned and distorted as their environment says."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from aiga.crossing import onto
from aiga.resample import bilinear, turned
from aiga_characters.lessons import Lessons
from aiga_characters.sets import Characters

# Standard deviations of a whole distortion, in radians and in shares of the canvas.
_ROTATION, _SHEAR, _SCALE, _SHIFT = 0.35, 0.25, 0.15, 0.08


class Pictures:
    """A set of characters on one device.

    Args:
        characters: the set.
        device: where agents live.
    """

    def __init__(self, characters: Characters, device: torch.device) -> None:
        self._images = onto(characters.images, device)
        self._device: Final = device

    def show(self, lessons: Lessons, label: Tensor, drawer: Tensor) -> Tensor:
        """``[P, M, 1, size, size]`` float32, 1 ink and 0 paper: images ``[P, M]`` of each lifetime, by label and drawer."""
        place = (lessons.classes.gather(1, label), drawer, lessons.quarter.gather(1, label))
        which, by, quarter = (onto(index, self._device) for index in place)
        images = self._images[which, by]
        if bool(lessons.genes["turned"].any()):
            images = _quarters(images, quarter[..., None, None])
        seen = images.float() / 255.0
        strength = lessons.genes["distortion"]
        if bool((strength > 0.0).any()):
            drawn = lessons.distortions(label, drawer).double() * strength[:, None, None]
            seen = torch.where(onto(strength, self._device)[:, None, None, None] > 0.0, distorted(seen, drawn), seen)
        return seen[:, :, None]


def distorted(images: Tensor, amount: Tensor) -> Tensor:
    """Images turned, sheared, scaled and moved about their middle, read off between pixels.

    Args:
        images: ``[..., size, size]`` float32.
        amount: ``[..., 6]`` of rotation, shear, scale (x, y) and shift (x, y), in standard deviations.

    Returns:
        ``[..., size, size]``; what comes from off the canvas is 0.
    """
    size = images.shape[-1]
    amount = amount.to(device=images.device, dtype=torch.float32)[..., None, None]
    rotation, shear, wide, high, right, down = (amount[..., place, :, :] for place in range(6))
    cosine, sine = turned(_ROTATION * rotation)
    grid = torch.arange(size, dtype=torch.float32, device=images.device) - (size - 1) / 2.0
    x, y = grid - _SHIFT * size * right, grid[:, None] - _SHIFT * size * down
    x, y = cosine * x - sine * y, sine * x + cosine * y
    x = x + _SHEAR * shear * y
    x, y = x * (1.0 + _SCALE * wide) + (size - 1) / 2.0, y * (1.0 + _SCALE * high) + (size - 1) / 2.0
    return bilinear(images, x, y)


def _quarters(images: Tensor, quarter: Tensor) -> Tensor:
    """``images`` turned by ``quarter`` quarters of a circle each."""
    images = torch.where(quarter % 2 == 1, images.transpose(-1, -2).flip(-2), images)
    return torch.where(quarter >= 2, images.flip(-1, -2), images)
