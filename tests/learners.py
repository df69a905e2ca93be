"""Networks that learn within a life, small enough for tests: one by gradients, one by storing what it is told."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from aiga import Output, Percept, Space, Stream
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves

FEATURES = 24


class _Features:
    """Random features of what is seen: ``tanh(x @ basis)``, of length 1."""

    def __init__(self) -> None:
        self.structure: Structure = {"version": 1, "features": FEATURES}

    def build(self, structure: Structure, inputs: Space, outputs: Space) -> Layout:
        return {"basis": (math.prod(inputs.shape), structure["features"]), "head": (structure["features"], *outputs.shape)}

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        rng = rng.each(count)
        return {name: 0.3 * rng.child(name).normal(*shape) for name, shape in layout.items()}

    def newborn(self, leaves: Leaves) -> Life:
        return {"head": torch.zeros_like(leaves["head"]), "met": torch.zeros_like(leaves["head"][:, 0])}

    def look(self, leaves: Leaves, x: Tensor) -> Tensor:
        """``[B, M, features]`` of ``[B, M, ...]``."""
        seen = x.flatten(2).to(leaves["basis"].dtype)
        h = torch.tanh((seen[..., None] * leaves["basis"][:, None]).sum(dim=2))
        return h / h.square().sum(dim=-1, keepdim=True).sqrt()

    def logits(self, leaves: Leaves, life: Life, h: Tensor) -> Tensor:
        return (h[..., None] * (leaves["head"] + life["head"])[:, None]).sum(dim=2)


class SgdHead(_Features):
    """Descends the cross-entropy in its last layer, image by image; its life is how far that moved, and which labels it met.

    What the last layer says of a label begins at zero when the label is first met.
    """

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.calls: list[tuple[int, bool]] = []

    def learn(self, leaves: Leaves, life: Life, x: Tensor, y: Tensor, create_graph: bool) -> Life:
        self.calls.append((x.shape[1], create_graph))
        h, head, met = self.look(leaves, x), life["head"], life["met"]
        for step in range(x.shape[1]):
            seen, wanted = h[:, step, None], torch.nn.functional.one_hot(y[:, step], head.shape[-1])
            head = torch.where(((wanted == 1) & (met == 0.0))[:, None], -leaves["head"], head)
            met = torch.maximum(met, wanted.to(met.dtype))
            error = self.logits(leaves, {"head": head}, seen)[:, 0].softmax(dim=-1) - wanted
            head = head - self.rate * seen.transpose(1, 2) * error[:, None]
        return {"head": head if create_graph else head.detach(), "met": met}

    def answers(self, leaves: Leaves, life: Life, x: Tensor) -> Tensor:
        return self.logits(leaves, life, self.look(leaves, x))

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        return Output(self.answers(leaves, life, percept.observation[:, None])[:, 0]), life


class Notebook(_Features):
    """Adds what it sees to what it holds of its target; knows nothing of gradients."""

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        assert percept.target is not None
        h = self.look(leaves, percept.observation[:, None])
        logits = self.logits({"head": torch.zeros_like(leaves["head"])}, life, h)[:, 0]
        return Output(logits, logits.sum(dim=-1)), {**life, "head": life["head"] + h.transpose(1, 2) * percept.target[:, None]}
