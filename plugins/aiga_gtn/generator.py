"""Generators of learning examples: from noise and a label to something of a network's input (Such et al. 2020)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

import aiga
from aiga_gtn.normed import SLOPE, BatchNorm, NormedConvolution, NormedLinear


class DenseGenerator(nn.Module):
    """Layers of units, for inputs of any shape.

    Args:
        rng: weights are drawn from it.
        inputs: numbers of noise and classes together.
        hidden: units of each hidden layer.
        shape: of one example.
        reach: largest value of an example; the least is its negative.
    """

    def __init__(self, rng: aiga.Stream, inputs: int, hidden: Sequence[int], shape: Sequence[int], reach: float) -> None:
        super().__init__()
        sizes = [inputs, *hidden]
        pairs = enumerate(itertools.pairwise(sizes))
        self.layers = nn.ModuleList(NormedLinear(rng.child("layer", i), a, b, bias=False) for i, (a, b) in pairs)
        self.norms = nn.ModuleList(BatchNorm(units) for units in hidden)
        self.last = NormedLinear(rng.child("last"), sizes[-1], math.prod(shape), bias=True)
        self._shape, self._reach = tuple(shape), reach

    def forward(self, x: Tensor) -> Tensor:
        """``[T, N, *shape]`` examples for ``[T, N, inputs]``, batches of ``N`` by themselves."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = functional.leaky_relu(norm(layer(x)), SLOPE)
        return (torch.tanh(self.last(x)) * self._reach).reshape(*x.shape[:2], *self._shape)


class ConvolutionalGenerator(nn.Module):
    """The paper's: two layers of units make a small picture of many channels, which is doubled and convolved twice.

    Args:
        rng: weights are drawn from it.
        inputs: numbers of noise and classes together.
        units: of the first layer (paper: 1024).
        channels: of the small picture and of the middle one (paper: 128 and 64).
        shape: of one example, channels first; height and width are multiples of 4, and at least 8.
        reach: largest value of an example; the least is its negative.

    Raises:
        aiga.InputError: for another shape.
    """

    def __init__(
        self, rng: aiga.Stream, inputs: int, units: int, channels: tuple[int, int], shape: Sequence[int], reach: float
    ) -> None:
        super().__init__()
        if len(shape) != 3 or any(side % 4 or side < 8 for side in shape[1:]):
            what = f"makes images whose sides are multiples of 4, and at least 8; the domain's inputs have shape {tuple(shape)}"
            raise aiga.InputError(f'[plugins.gtn.options] generator: "convolutional" {what}. Write "dense".')
        first, second = channels
        self._small = (first, shape[1] // 4, shape[2] // 4)
        self._reach = reach
        self.first = NormedLinear(rng.child("first"), inputs, units, bias=False)
        self.second = NormedLinear(rng.child("second"), units, math.prod(self._small), bias=False)
        self.middle = NormedConvolution(rng.child("middle"), first, second, bias=False)
        self.last = NormedConvolution(rng.child("last"), second, shape[0], bias=True)
        self.norms = nn.ModuleList([BatchNorm(units), BatchNorm(math.prod(self._small)), BatchNorm(second)])

    def forward(self, x: Tensor) -> Tensor:
        """``[T, N, *shape]`` examples for ``[T, N, inputs]``, batches of ``N`` by themselves."""
        batches = x.shape[:2]
        x = functional.leaky_relu(self.norms[0](self.first(x)), SLOPE)
        x = functional.leaky_relu(self.norms[1](self.second(x)), SLOPE)
        x = self.middle(_doubled(x.reshape(-1, *self._small))).unflatten(0, batches)
        x = functional.leaky_relu(self.norms[2](x), SLOPE)
        return torch.tanh(self.last(_doubled(x.flatten(0, 1))).unflatten(0, batches)) * self._reach


def _doubled(x: Tensor) -> Tensor:
    """Every point of a picture four times."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
