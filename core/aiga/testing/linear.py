"""``linear`` and ``affine``: networks for tests, of two architectures so that unlike kinds can live side by side."""

from __future__ import annotations

import math

import torch

from aiga.components import Layout, Life, Output, Percept, Registry, Space, Structure
from aiga.data import Leaves
from aiga.hooks import Plugin
from aiga.streams import Stream

SCALE = 0.1


class LinearNetwork:
    """``tanh(W x)``, or ``tanh(W x + b)`` with ``bias``; parameters are born normal with standard deviation 0.1."""

    def __init__(self, bias: bool = False) -> None:
        self.structure: Structure = {"version": 1, "bias": bias}

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        """``weight`` is ``(in, out)``, ``bias`` ``(out,)``."""
        size = math.prod(outputs.shape)
        layout: Layout = {"weight": (math.prod(inputs.shape), size)}
        return {**layout, "bias": (size,)} if structure["bias"] else layout

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        """One agent for each of ``rng``'s row keys, or for each number below ``count`` where it has none."""
        rng = rng.each(count)
        return {name: rng.child(name).normal(*shape) * SCALE for name, shape in layout.items()}

    def newborn(self, leaves: Leaves) -> Life:
        """Nothing: it remembers nothing."""
        return {}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        """``[B, out]`` for observations ``[B, *in]``."""
        seen = percept.observation.flatten(start_dim=1).to(leaves["weight"].dtype)
        answer = (seen[:, :, None] * leaves["weight"]).sum(dim=1)
        if "bias" in leaves:
            answer = answer + leaves["bias"]
        return Output(torch.tanh(answer)), life


class Linear(Plugin):
    """Registers the networks ``linear`` and ``affine``."""

    name = "linear"

    def aiga_register(self, registry: Registry) -> None:
        """Both networks."""
        registry.network("linear", LinearNetwork())
        registry.network("affine", LinearNetwork(bias=True))
