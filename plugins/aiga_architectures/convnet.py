"""The network ``convnet``: small convolutional networks of cells, for pictures of 8 x 8 to 32 x 32."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.padding import width_of_bucket
from aiga.products import convolve, dense
from aiga_architectures.activations import FUNCTIONS, GAINS
from aiga_architectures.cells import KERNELS, POOLS, entering, nodes_of_text, operating, plan_of, plan_of_structure
from aiga_architectures.convnet_space import ConvnetSpace
from aiga_architectures.normalising import exact, scale
from aiga_architectures.options import ConvnetOptions
from aiga_architectures.picture import picture as drawn

_PICTURES: Final = 512  # looked at in one piece where no gradient is wanted
_LEAST: Final = 8  # channels of a bucket


class ConvnetNetwork:
    """See :class:`aiga.Network`; capabilities: ``see``, ``answers``, ``settled``, ``bucket``, ``space`` and ``picture``.

    The names of the head's leaves tell the architecture, so that one component serves agents of every structure. A life holds
    the means of the batch last seen by :meth:`see`; steps leave them as they are.

    Attributes:
        structure: ``{"version": 1, "channels": ..., "cells": ..., "reductions": ..., "nodes": [...], "activation": ...,
            "norm": ..., "weight_norm": ...}``; a node is ``[[state, operation], [state, operation]]``.
    """

    def __init__(self, options: ConvnetOptions) -> None:
        self.structure: Structure = {
            "version": 1,
            "channels": options.channels,
            "cells": options.cells,
            "reductions": options.reductions,
            "nodes": nodes_of_text(options.nodes),
            "activation": options.activation,
            "norm": options.norm,
            "weight_norm": options.weight_norm,
        }
        self.space = ConvnetSpace(self.structure, options)

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves: a ``kernel`` is ``(out, in, h, w)``, the head's ``weight`` ``(in, out)``.

        Pictures are ``(height, width)`` or ``(channels, height, width)``. Answers are linear; tanh where actions lie between -1
        and 1.

        Raises:
            ValueError: for a structure of another version or of what there is not, spaces that do not fit, or a picture that
                is too small for so many reductions.
        """
        squashed = (outputs.kind, outputs.low, outputs.high) == ("continuous", -1.0, 1.0)
        plan = plan_of_structure(structure, "tanh" if squashed else "linear")
        if len(inputs.shape) not in (2, 3):
            raise ValueError(f"convnet sees pictures (channels, height, width), the domain shows {tuple(inputs.shape)}")
        if len(outputs.shape) != 1:
            raise ValueError(f"convnet answers a vector, the domain asks for shape {tuple(outputs.shape)}")
        if min(inputs.shape[-2:]) >> plan.reductions < 1:
            raise ValueError(f"convnet cannot halve pictures of {tuple(inputs.shape)} {plan.reductions} times")
        seen = inputs.shape[0] if len(inputs.shape) == 3 else 1
        layout: Layout = {}
        units = plan.units(seen, structure["channels"])
        for unit in units:
            layout[f"{unit.name}.kernel"] = (unit.channels, unit.seen, *unit.size)
            layout[f"{unit.name}.bias"] = (unit.channels,)
            if plan.normed:
                layout[f"{unit.name}.gain"] = (unit.channels,)
        layout[f"{plan.head}.weight"] = (units[-1].channels, *outputs.shape)
        layout[f"{plan.head}.bias"] = outputs.shape
        if plan.normed:
            layout[f"{plan.head}.gain"] = outputs.shape
        return layout

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents, each drawn from ``rng``'s row key where it has row keys, else from its number.

        Weights are Kaiming-normal (He et al. 2015), biases 0; gains are the lengths of the weights.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng, plan, leaves = rng.each(count), plan_of(layout), {}
        for name, shape in layout.items():
            if name.endswith(".bias"):
                leaves[name] = torch.zeros(count, *shape)
            elif name.endswith(".kernel"):
                deviation = GAINS[plan.activation] / math.sqrt(math.prod(shape[1:]))
                leaves[name] = rng.child(name).normal(*shape) * deviation
            elif name.endswith(".weight"):
                leaves[name] = rng.child(name).normal(*shape) / math.sqrt(shape[0])
        for name in layout:
            if name.endswith(".gain"):
                unit = name.removesuffix(".gain")
                kernel = leaves.get(f"{unit}.kernel")
                squares = leaves[f"{unit}.weight"].square().sum(1) if kernel is None else kernel.square().sum((2, 3, 4))
                leaves[name] = squares.sqrt()
        return {name: leaves[name] for name in layout}

    def newborn(self, leaves: Leaves) -> Life:
        """Zero means."""
        if not plan_of(leaves).mean:
            return {}
        biases = {name: leaf for name, leaf in leaves.items() if name.endswith(".bias") and not name.startswith("head.")}
        return {_statistic(name.removesuffix(".bias")): torch.zeros_like(leaf) for name, leaf in biases.items()}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, out]`` action parameters; on a CPU bits hang on the row alone, unless gradients are wanted."""
        return aiga.Output(self.answers(leaves, life, percept.observation[:, None])[:, 0]), life

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        """``[B, T, n]`` for pictures ``[B, T, ...]``, or ``[1, T, ...]`` shared by all, each by itself in one life."""
        look = _Look(leaves, life, exact(leaves, life))
        if torch.is_grad_enabled():
            return look.headed(look.features(look.pictures(x)))
        pieces = torch.split(look.pictures(x), max(1, _PICTURES // look.agents), dim=1)
        return look.headed(torch.cat([look.features(some) for some in pieces], dim=1))

    def see(self, leaves: Leaves, x: Tensor) -> tuple[Tensor, Life]:
        """Answers to ``T`` pictures seen together, and the life that holds their means; differentiable twice.

        Args:
            leaves: ``[P, ...]``.
            x: ``[P, T, ...]``, or ``[1, T, ...]`` shared by all.

        Returns:
            ``[P, T, n]``, and the life ``[P, ...]``.
        """
        look = _Look(leaves, None, False)
        return look.headed(look.features(look.pictures(x))), look.means

    def settled(self, leaves: Leaves, life: Life) -> Leaves:
        """Agents that answer at birth, bit for bit, as these do in this life: its means are taken off the biases."""
        biases = {f"{name.removeprefix('mean.')}.bias": mean for name, mean in life.items()}
        return {**leaves, **{name: leaves[name] - mean for name, mean in biases.items()}}

    def bucket(self, structure: Structure) -> Structure:
        """The same with channels filled up to a power of two; cells and all else are kept."""
        return {**structure, "channels": width_of_bucket(structure["channels"], _LEAST)}

    def picture(self, structure: Structure) -> bytes:
        """A PNG file of a structure."""
        return drawn(structure)


class _Look:
    """One look of ``P`` agents at pictures ``[P, T, C, H, W]``.

    Args:
        leaves: ``[P, ...]``.
        life: whose means are taken off; None to take off, and keep, those of the pictures.
        exact: let a row's bits hang on nothing beside it.
    """

    def __init__(self, leaves: Leaves, life: Life | None, exact: bool) -> None:
        self._leaves, self._life, self._exact, self._plan = leaves, life, exact, plan_of(leaves)
        self._activate = FUNCTIONS[self._plan.activation]
        self.means: Life = {}
        self.agents = len(leaves["stem.kernel"])

    def pictures(self, x: Tensor) -> Tensor:
        """``[P, T, C, H, W]``, or ``[1, T, C, H, W]``, of pictures with channels or without."""
        return (x[:, :, None] if x.ndim == 4 else x).to(self._leaves["stem.kernel"].dtype)

    def features(self, x: Tensor) -> Tensor:
        """``[P, T, C]``: what the cells make of pictures, averaged over all places."""
        plan = self._plan
        last = before = self._unit("stem", x)
        for cell in range(plan.cells):
            side = last.shape[3] // 2 if cell in plan.reducing else last.shape[3]
            given = (last, before)
            states = {state: self._unit(entering(cell, state), _halved(given[state], side)) for state in plan.inputs}
            for number, node in enumerate(plan.nodes):
                first, second = (self._operate(states[state], op, cell, number, s) for s, (state, op) in enumerate(node))
                states[2 + number] = first + second
            last, before = _mean_of([states[state] for state in plan.loose]), last
        return last.mean(dim=(3, 4))

    def headed(self, h: Tensor) -> Tensor:
        """``[P, T, n]`` of features ``[P, T, C]``."""
        head, plan = self._plan.head, self._plan
        weight, bias = self._leaves[f"{head}.weight"], self._leaves[f"{head}.bias"]
        if plan.normed:
            weight = weight * scale(weight, self._leaves[f"{head}.gain"], (1,))[:, None]
        return FUNCTIONS[plan.squash](dense(h, weight, bias, self._exact))

    def _operate(self, x: Tensor, op: str, cell: int, node: int, side: int) -> Tensor:
        if op in POOLS:
            return _pooled(x, *POOLS[op])
        for turn in range(len(KERNELS.get(op, ()))):
            x = self._unit(operating(cell, node, side, turn), x)
        return x

    def _unit(self, name: str, x: Tensor) -> Tensor:
        """A convolution that keeps the pictures' size, with its normalisations, bias and activation."""
        kernel, bias = self._leaves[f"{name}.kernel"], self._leaves[f"{name}.bias"]
        x = convolve(x, kernel, 1, self._exact, (kernel.shape[3] // 2, kernel.shape[4] // 2))
        if self._plan.normed:
            x = x * scale(kernel, self._leaves[f"{name}.gain"], (2, 3, 4))[:, None, :, None, None]
        if self._plan.mean:
            if self._life is None:
                self.means[_statistic(name)] = x.mean(dim=(1, 3, 4))
            bias = bias - (self.means if self._life is None else self._life)[_statistic(name)]
        return self._activate(x + bias[:, None, :, None, None])


def _statistic(unit: str) -> str:
    """Name of a unit's part of a life: the means of its channels' sums, zero at birth."""
    return f"mean.{unit}"


def _mean_of(states: list[Tensor]) -> Tensor:
    total = states[0]
    for state in states[1:]:
        total = total + state
    return total / len(states)


def _flat(x: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
    """``pool`` of pictures ``[P, T, C, H, W]``, which it is given as ``[T, P * C, H, W]``."""
    rows, count, channels, *size = x.shape
    out = pool(x.transpose(0, 1).reshape(count, rows * channels, *size))
    return out.reshape(count, rows, channels, *out.shape[2:]).transpose(0, 1)


def _halved(x: Tensor, side: int) -> Tensor:
    """``x`` averaged over squares of 2 x 2 until it is ``side`` high."""
    while x.shape[3] > side:
        x = _flat(x, lambda flat: functional.avg_pool2d(flat, 2))
    return x


def _pooled(x: Tensor, what: str, side: int) -> Tensor:
    """The largest of, or the mean over, ``side`` x ``side`` places around each; pictures keep their size."""
    pool = functional.max_pool2d if what == "max" else functional.avg_pool2d
    if side % 2 == 0:  # one more row and column, the last ones again
        return _flat(x, lambda flat: pool(functional.pad(flat, (0, 1, 0, 1), mode="replicate"), side, stride=1))
    if what == "max":
        return _flat(x, lambda flat: functional.max_pool2d(flat, side, 1, side // 2))
    return _flat(x, lambda flat: functional.avg_pool2d(flat, side, 1, side // 2, count_include_pad=False))
