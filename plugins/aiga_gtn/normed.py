"""Layers under weight normalisation (Salimans & Kingma 2016), and normalisation by batches (Ioffe & Szegedy 2015)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

import aiga

SLOPE = 0.1  # of LeakyReLU below zero
_EPSILON = 1e-5


class NormedLinear(nn.Module):
    """``x @ v * g / |v|``, the length of each unit's weights apart from their direction.

    Args:
        rng: weights are drawn from it, with the variance of He et al. (2015).
        inputs, outputs: units.
        bias: whether something is added, zero at first.
    """

    def __init__(self, rng: aiga.Stream, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.direction = nn.Parameter(rng.normal(outputs, inputs) * math.sqrt(2.0 / inputs))
        self.length = nn.Parameter(self.direction.detach().norm(dim=1))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[..., outputs]`` for ``[..., inputs]``."""
        return functional.linear(x, _weight(self.direction, self.length), self.bias)


class NormedConvolution(nn.Module):
    """A 3 x 3 convolution with reflected edges, its channels' weights of learned length.

    Args:
        rng: weights are drawn from it.
        inputs, outputs: channels.
        bias: whether something is added, zero at first.
    """

    def __init__(self, rng: aiga.Stream, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.direction = nn.Parameter(rng.normal(outputs, inputs, 3, 3) * math.sqrt(2.0 / (9 * inputs)))
        self.length = nn.Parameter(self.direction.detach().flatten(1).norm(dim=1))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[B, outputs, H, W]`` for ``[B, inputs, H, W]``."""
        wide = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        return functional.conv2d(wide, _weight(self.direction, self.length), self.bias)


def _weight(direction: Tensor, length: Tensor) -> Tensor:
    """Weights ``[outputs, ...]`` of this direction and length, in one operation: a gradient has one way to each parameter."""
    return torch._weight_norm(direction, length.reshape(-1, *[1] * (direction.ndim - 1)), 0)


class BatchNorm(nn.Module):
    """Zero mean and unit variance over each inner batch by itself, then a learned scale and shift; nothing is remembered.

    Args:
        units: features, or channels of images.
    """

    def __init__(self, units: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(units))
        self.shift = nn.Parameter(torch.zeros(units))

    def forward(self, x: Tensor) -> Tensor:
        """The like of ``x``, ``[T, N, units]`` or ``[T, N, units, H, W]``, whose ``T`` inner batches have ``N`` examples."""
        over = [1, *range(3, x.ndim)]
        variance, mean = torch.var_mean(x, dim=over, correction=0, keepdim=True)
        wide = (-1, *[1] * (x.ndim - 3))
        return (x - mean) * (variance + _EPSILON).rsqrt() * self.scale.reshape(wide) + self.shift.reshape(wide)
