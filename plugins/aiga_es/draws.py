"""The perturbations of a step: known by stream and keys alone, made real where and when they are wanted."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from aiga.crossing import onto
from aiga.data import NOBODY, Batch, Noise
from aiga.streams import Stream


class Draws:
    """The perturbations of one step around ``B`` centres.

    Attributes:
        stream: key of the stream the numbers come from.
        keys: ``[B, K]`` int64 row keys; ``M = 2 K`` perturbations where ``antithetic``, else ``M = K``.
        antithetic: whether perturbations come in pairs, ``+`` before ``-``.
    """

    def __init__(self, stream: int, keys: Tensor, antithetic: bool) -> None:
        self.stream, self.keys, self.antithetic = stream, keys, antithetic

    def implicit(self, batch: Batch, scale: Tensor) -> Batch:
        """Each row of ``batch`` ``M`` times, implicitly perturbed by ``scale`` (``[B]`` or ``[B, D]``): ``B * M`` rows."""
        rows, keys = len(batch), self.keys
        if self.antithetic:
            keys = keys.repeat_interleave(2, dim=1)
        count = keys.shape[1]
        sign = torch.tensor([1.0, -1.0]).repeat(count // 2) if self.antithetic else torch.ones(count)
        noise = Noise(
            stream=self.stream,
            base=torch.arange(rows).repeat_interleave(count),
            keys=keys.reshape(-1),
            sign=sign.repeat(rows),
            scale=scale.float(),
        )
        return replace(batch, ids=torch.full((rows * count,), NOBODY, dtype=torch.int64), noise=noise)

    def normal(self, start: int, stop: int, size: int, device: torch.device) -> Tensor:
        """``[B, stop - start, D]`` float32: the standard normal numbers behind draws ``start`` to ``stop``."""
        keys, place = torch.unique(self.keys[:, start:stop], return_inverse=True)  # agents in one environment share theirs
        return Stream(self.stream, keys).normal(size, device=device)[onto(place, device)]

    def values(self, centre: Tensor, scale: Tensor) -> Tensor:
        """``[B, M, D]`` float64: ``centre`` ``[B, D]`` perturbed by ``scale`` ``[B, D]``, in the order of :meth:`implicit`."""
        step = scale.double()[:, None] * self.normal(0, self.keys.shape[1], centre.shape[1], centre.device).double()
        if self.antithetic:
            step = torch.stack([step, -step], dim=2).flatten(1, 2)
        return centre.double()[:, None] + step

    def take(self, rows: slice) -> Draws:
        """The perturbations of some of the centres."""
        return Draws(self.stream, self.keys[rows], self.antithetic)
