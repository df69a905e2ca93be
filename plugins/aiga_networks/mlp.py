"""A multilayer perceptron, batched over agents with different parameters.

Default: the walker's policy of POET (Wang et al. 2019), 24-40-40-4, tanh throughout, 2,804 parameters from N(0, 0.1**2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves

Activation = Literal["tanh", "relu", "identity"]

# Only functions whose bits do not hang on an element's place in a tensor: torch.sigmoid rounds otherwise in a vector's tail.
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda x: x}


class MlpOptions(aiga.Options):
    """Architecture and birth of the agents.

    Attributes:
        hidden: units of each hidden layer; none at all makes a linear policy.
        activation: of the hidden layers.
        output: of the last layer.
        init: how newborn parameters are drawn, biases included.
        init_scale: standard deviation of newborn parameters.
    """

    hidden: Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...], Field(strict=False)] = (40, 40)
    activation: Activation = "tanh"
    output: Activation = "tanh"
    init: Literal["normal"] = "normal"
    init_scale: float = Field(default=0.1, ge=0.0)


class MlpNetwork:
    """The network ``mlp``: see :class:`aiga.Network`.

    A leaf is called ``{layer:03d}.{activation}.bias`` or ``.weight``, so that :meth:`step` reads the whole architecture off the
    leaves it is given and one component serves agents of every structure.

    Attributes:
        structure: ``{"version": 1, "hidden": [...], "activation": ..., "output": ...}``.
    """

    def __init__(self, options: MlpOptions) -> None:
        self.structure: Structure = {
            "version": 1,
            "hidden": list(options.hidden),
            "activation": options.activation,
            "output": options.output,
        }
        self._scale = options.init_scale

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves: a ``weight`` is ``(in, out)``, a ``bias`` ``(out,)``.

        Raises:
            ValueError: for a structure of another version, an activation there is not, or outputs that are no vector.
        """
        if structure.get("version") != 1:
            raise ValueError(f"mlp reads structures of version 1, found version {structure.get('version')!r}")
        if len(outputs.shape) != 1:
            raise ValueError(f"mlp answers a vector, the domain asks for shape {tuple(outputs.shape)}")
        sizes = [math.prod(inputs.shape), *structure["hidden"], *outputs.shape]
        last = len(sizes) - 2
        layout: Layout = {}
        for layer in range(last + 1):
            activation = structure["output" if layer == last else "activation"]
            if activation not in _ACTIVATIONS:
                raise ValueError(f"mlp has no activation {activation!r}; it has {', '.join(_ACTIVATIONS)}")
            layout[f"{layer:03d}.{activation}.bias"] = (sizes[layer + 1],)
            layout[f"{layer:03d}.{activation}.weight"] = (sizes[layer], sizes[layer + 1])
        return layout

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents, each drawn from ``rng``'s row key where it has row keys, else from its number.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng = rng.each(count)
        return {name: rng.child(name).normal(*shape) * self._scale for name, shape in layout.items()}

    def newborn(self, leaves: Leaves) -> Life:
        """Nothing: a perceptron remembers nothing."""
        return {}

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, out]`` action parameters for observations ``[B, *in]``; on a CPU a row has the same bits in any batch."""
        names = sorted(leaves)
        x = percept.observation.flatten(start_dim=1).to(leaves[names[0]].dtype)
        for bias, weight in zip(names[0::2], names[1::2], strict=True):
            x = _ACTIVATIONS[bias.split(".")[1]](_affine(x, leaves[weight], leaves[bias]))
        return aiga.Output(x), life

    def layers(self, leaves: Leaves) -> list[aiga.Dense]:
        """The layers of ``B`` agents, first to last: what a domain needs that computes the policy itself."""
        names = sorted(leaves)
        pairs = zip(names[0::2], names[1::2], strict=True)
        return [aiga.Dense(leaves[bias], leaves[weight], bias.split(".")[1]) for bias, weight in pairs]


class Mlp(aiga.Plugin):
    """Registers the network ``mlp``."""

    name = "mlp"
    Options = MlpOptions
    options: MlpOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.network("mlp", MlpNetwork(self.options))


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``[B, out]``: each row of ``x`` ``[B, in]`` under its own ``weight`` ``[B, in, out]`` and ``bias`` ``[B, out]``."""
    if weight.is_cuda:
        return torch.baddbmm(bias[:, None], x[:, None], weight)[:, 0]
    # MKL's batched products round a row by where it lies in memory (odd widths) and by the batch's size (a batch of one); a
    # product and a sum do not, and cost a third more.
    return (weight * x[:, :, None]).sum(dim=1) + bias
