"""The network ``perceptron``: multilayer perceptrons of any depth and width, learners that an architecture search compares."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.padding import width_of_bucket
from aiga.products import dense
from aiga_architectures.activations import FUNCTIONS, GAINS, known
from aiga_architectures.kept import Kept
from aiga_architectures.normalising import checked, exact, scale
from aiga_architectures.options import PerceptronOptions
from aiga_architectures.perceptron_space import PerceptronSpace
from aiga_architectures.picture import picture as drawn


class Layer(NamedTuple):
    """One layer, as the names of its leaves tell it.

    Attributes:
        name: what these begin with: ``{layer:03d}.{activation}``, with ``+skip`` and ``+mean`` where it has these.
        activation: of its units.
        skip: whether the observation reaches it, beside and before what the layer below answers.
        mean: whether its sums are normalised by their mean.
        normed: whether its weights are normalised by their length.
    """

    name: str
    activation: str
    skip: bool
    mean: bool
    normed: bool

    @property
    def statistic(self) -> str:
        """Name of its part of a life: the mean of each unit's sums, zero at birth."""
        return f"mean.{self.name[:3]}"


class PerceptronNetwork:
    """See :class:`aiga.Network`; capabilities: ``see``, ``answers``, ``settled``, ``bucket``, ``space`` and ``picture``.

    A leaf is called ``{layer}.bias``, ``.weight`` or ``.gain``, ``layer`` saying how it is used, so that one component serves
    agents of every structure. A life holds the means of the batch last seen by :meth:`see`; steps leave them as they are.

    Attributes:
        structure: ``{"version": 1, "hidden": [...], "activation": ..., "skip": ..., "norm": ..., "weight_norm": ...}``.
    """

    def __init__(self, options: PerceptronOptions) -> None:
        self.structure: Structure = {
            "version": 1,
            "hidden": list(options.hidden),
            "activation": options.activation,
            "skip": options.skip,
            "norm": options.norm,
            "weight_norm": options.weight_norm,
        }
        self.space = PerceptronSpace(self.structure, options)
        self._kept: Kept[list[tuple[Tensor, Tensor]]] = Kept()

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves: a ``weight`` is ``(in, out)``, the observation first where it skips layers.

        Answers are linear; tanh where actions lie between -1 and 1.

        Raises:
            ValueError: for a structure of another version, of what there is not, or outputs that are no vector.
        """
        if structure.get("version") != 1:
            raise ValueError(f"perceptron reads structures of version 1, found version {structure.get('version')!r}")
        if len(outputs.shape) != 1:
            raise ValueError(f"perceptron answers a vector, the domain asks for shape {tuple(outputs.shape)}")
        if any(width < 1 for width in structure["hidden"]):
            raise ValueError(f"perceptron has at least one unit in a layer, found hidden {list(structure['hidden'])}")
        activation, mean = known("perceptron", structure["activation"]), checked("perceptron", structure["norm"])
        squashed = (outputs.kind, outputs.low, outputs.high) == ("continuous", -1.0, 1.0)
        seen = math.prod(inputs.shape)
        sizes = [seen, *structure["hidden"], *outputs.shape]
        last = len(sizes) - 2
        layout: Layout = {}
        for layer in range(last + 1):
            skip = structure["skip"] and layer > 0
            words = ["tanh" if squashed else "linear"] if layer == last else [activation]
            name = "+".join([f"{layer:03d}.{words[0]}", *["skip"] * skip, *["mean"] * (mean and layer < last)])
            layout[f"{name}.bias"] = (sizes[layer + 1],)
            layout[f"{name}.weight"] = (sizes[layer] + seen * skip, sizes[layer + 1])
            if structure["weight_norm"]:
                layout[f"{name}.gain"] = (sizes[layer + 1],)
        return layout

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents, each drawn from ``rng``'s row key where it has row keys, else from its number.

        Weights are Kaiming-normal (He et al. 2015), biases 0; gains are the lengths of the weights.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng, leaves = rng.each(count), {}
        for layer in layers_of(layout):
            weight, bias, gain = (f"{layer.name}.{what}" for what in ("weight", "bias", "gain"))
            deviation = GAINS[layer.activation] / math.sqrt(layout[weight][0])
            leaves[weight] = rng.child(weight).normal(*layout[weight]) * deviation
            leaves[bias] = torch.zeros(count, *layout[bias])
            if layer.normed:
                leaves[gain] = leaves[weight].square().sum(dim=1).sqrt()
        return {name: leaves[name] for name in layout}

    def newborn(self, leaves: Leaves) -> Life:
        """Zero means."""
        return {layer.statistic: torch.zeros_like(leaves[f"{layer.name}.bias"]) for layer in layers_of(leaves) if layer.mean}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, out]`` action parameters; on a CPU bits hang on the row alone, unless gradients are wanted."""
        if not exact(leaves, life):
            return aiga.Output(self.answers(leaves, life, percept.observation[:, None])[:, 0]), life
        layers = layers_of(leaves)
        settled = self._kept.get(
            [*leaves.values(), *life.values()], lambda: [_settled(leaves, life, layer) for layer in layers]
        )
        h = x = percept.observation.flatten(1).to(_dtype(leaves))
        for layer, (weight, bias) in zip(layers, settled, strict=True):
            h = torch.cat([x, h], dim=1) if layer.skip else h
            h = FUNCTIONS[layer.activation]((weight * h[:, :, None]).sum(dim=1) + bias)
        return aiga.Output(h), life

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        """``[B, T, n]`` for observations ``[B, T, ...]``, or ``[1, T, ...]`` shared by all, each by itself in one life."""
        alone = exact(leaves, life)
        h = x = _observed(leaves, x)
        for layer in layers_of(leaves):
            h = torch.cat([x, h], dim=2) if layer.skip else h
            weight, bias = _settled(leaves, life, layer)
            h = FUNCTIONS[layer.activation](dense(h, weight, bias, alone))
        return h

    def see(self, leaves: Leaves, x: Tensor) -> tuple[Tensor, Life]:
        """Answers to ``T`` observations seen together, and the life that holds their means; differentiable twice.

        Args:
            leaves: ``[P, ...]``.
            x: ``[P, T, ...]``, or ``[1, T, ...]`` shared by all.

        Returns:
            ``[P, T, n]``, and the life ``[P, ...]``.
        """
        h = x = _observed(leaves, x)
        seen, life = x.shape[2], {}
        for layer in layers_of(leaves):
            weight, bias = leaves[f"{layer.name}.weight"], leaves[f"{layer.name}.bias"]
            h = torch.baddbmm(torch.bmm(x, weight[:, :seen]), h, weight[:, seen:]) if layer.skip else torch.bmm(h, weight)
            if layer.normed:
                h = h * scale(weight, leaves[f"{layer.name}.gain"], (1,))[:, None]
            if layer.mean:
                life[layer.statistic] = h.mean(dim=1)
                bias = bias - life[layer.statistic]
            h = FUNCTIONS[layer.activation](h + bias[:, None])
        return h, life

    def settled(self, leaves: Leaves, life: Life) -> Leaves:
        """Agents that answer at birth, bit for bit, as these do in this life: its means are taken off the biases."""
        out = dict(leaves)
        for layer in layers_of(leaves):
            if layer.mean:
                out[f"{layer.name}.bias"] = leaves[f"{layer.name}.bias"] - life[layer.statistic]
        return out

    def bucket(self, structure: Structure) -> Structure:
        """The same with layers all as wide as the widest, filled up to a power of two; depth and all else are kept."""
        hidden = structure["hidden"]
        return {**structure, "hidden": [width_of_bucket(max(hidden))] * len(hidden) if hidden else []}

    def picture(self, structure: Structure) -> bytes:
        """A PNG file of a structure."""
        return drawn(structure)


def layers_of(names: Layout | Leaves) -> tuple[Layer, ...]:
    """The layers of agents with these leaves, first to last."""
    return _layers(tuple(sorted(names)))


@lru_cache(maxsize=1024)
def _layers(names: tuple[str, ...]) -> tuple[Layer, ...]:
    found = []
    for each in names:
        if each.endswith(".weight"):
            name = each.removesuffix(".weight")
            activation, *more = name[4:].split("+")
            found.append(Layer(name, activation, "skip" in more, "mean" in more, f"{name}.gain" in names))
    return tuple(found)


def _settled(leaves: Leaves, life: Life, layer: Layer) -> tuple[Tensor, Tensor]:
    """Weights and biases of a layer that has nothing else to it."""
    weight, bias = leaves[f"{layer.name}.weight"], leaves[f"{layer.name}.bias"]
    if layer.normed:
        weight = weight * scale(weight, leaves[f"{layer.name}.gain"], (1,))[:, None]
    return weight, bias - life[layer.statistic] if layer.mean else bias


def _dtype(leaves: Leaves) -> torch.dtype:
    return next(iter(leaves.values())).dtype


def _observed(leaves: Leaves, x: Tensor) -> Tensor:
    """``[P, T, in]``: what every agent observes, not copied where it is shared."""
    return x.flatten(2).to(_dtype(leaves)).expand(len(next(iter(leaves.values()))), -1, -1)
