"""A teacher of policies: observations, the action parameters to answer them with, and the rates to learn that with."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

import aiga
from aiga_gtn.generator import DenseGenerator
from aiga_gtn.policies.options import GtnPolicyOptions


class Shown(NamedTuple):
    """What learners are shown in ``T`` steps, and how far they shall follow it.

    Attributes:
        x: ``[T, N, *inputs]`` observations.
        y: ``[T, N, *outputs]`` action parameters to answer them with.
        rate: ``[T]`` of SGD.
    """

    x: Tensor
    y: Tensor
    rate: Tensor


class PolicyTeacher(nn.Module):
    """One generator makes both halves of an example, so that what is asked for can follow what is seen.

    A rate lies between 0 and ``max_rate``, and below it moves by its logarithm.

    Args:
        options: of the plugin.
        inputs, outputs: of the domain.
        rng: everything random in it is drawn from this.
    """

    def __init__(self, options: GtnPolicyOptions, inputs: aiga.Space, outputs: aiga.Space, rng: aiga.Stream) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs.shape), tuple(outputs.shape)
        self._options, self._seen = options, math.prod(inputs.shape)
        numbers = self._seen + math.prod(outputs.shape)
        self.generator = DenseGenerator(rng.child("generator"), options.noise, options.hidden, (numbers,), 1.0)
        learned = options.latents == "learned"
        self.latents = nn.Parameter(rng.child("latents").normal(*self._shape)) if learned else None
        share = options.init_rate / options.max_rate
        self.rates = nn.Parameter(torch.full((options.steps,), math.log(share / (1.0 - share))))

    @property
    def pace(self) -> Tensor:
        """``[T]`` rates."""
        return torch.sigmoid(self.rates) * self._options.max_rate

    def show(self, rng: aiga.Stream) -> Shown:
        """All that is shown; gradients flow to everything that is learned.

        Args:
            rng: fresh noise is drawn from it, where latents are not learned.
        """
        latents = rng.normal(*self._shape).to(self.rates) if self.latents is None else self.latents
        made = self.generator(latents)
        x, y = made[..., : self._seen] * self._options.reach, made[..., self._seen :] * self._options.target
        return Shown(x.reshape(*x.shape[:2], *self.inputs), y.reshape(*y.shape[:2], *self.outputs), self.pace)

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self._options.steps, self._options.batch, self._options.noise
