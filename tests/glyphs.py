"""``glyphs``: a domain for tests of learners. An environment is a handful of blurred pictures, a life learns to name them."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional

import aiga
from aiga import Batch, Kind, Network, Pairs, Scores, Space, Stream, Trajectory
from aiga.data import Leaves
from aiga.streams import combine

SIDE, CLASSES, SHOWN, ASKED = 10, 5, 2, 4


class GlyphsDomain:
    """Fitness is the percentage of pictures named rightly after two of each class were learnt, class by class."""

    version = 1
    solved = 95.0
    steps = CLASSES * SHOWN
    inputs = Space((1, SIDE, SIDE))
    outputs = Space((CLASSES,), "discrete")
    parallelism: Literal["serial", "threads", "device"] = "device"

    def initial(self, rng: Stream, count: int) -> Batch:
        return self._of(rng.rows(torch.arange(count)).words(1)[:, 0], torch.full((count,), 0.3, dtype=torch.float64))

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        noise = parents.leaves["noise"] + 0.2 * rng.child("noise").normal(1)[:, 0].double().abs()
        return self._of(rng.child("seed").words(1)[:, 0], noise)

    def describe(self, envs: Batch) -> Tensor:
        return envs.leaves["noise"][:, None].double()

    def distance(self, a: Batch, b: Batch) -> Tensor:
        return torch.cdist(self.describe(a), self.describe(b))

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        leaves, shown, asked, names = self._lesson(pairs, Stream(0).rows(seeds))
        able = cast(Any, network)
        with torch.no_grad():
            life = able.learn(leaves, network.newborn(leaves), shown, names[:, : self.steps], False)
            right = able.answers(leaves, life, asked).argmax(dim=2) == names.sort(dim=1).values
        return Scores.of(100.0 * right.double().mean(dim=1), {"environment_steps": shown.shape[1] * len(pairs)})

    def loss(self, pairs: Pairs, network: Network, stream: Stream) -> Tensor:
        leaves, shown, asked, names = self._lesson(pairs, stream)
        able = cast(Any, network)
        life = able.learn(leaves, network.newborn(leaves), shown, names[:, : self.steps], True)
        logits = able.answers(leaves, life, asked)
        wanted = names.sort(dim=1).values
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").reshape(wanted.shape).mean(1)

    def _of(self, seed: Tensor, noise: Tensor) -> Batch:
        return Batch.of(Kind("glyphs", {"version": 1}), {"seed": seed, "noise": noise})

    def _lesson(self, pairs: Pairs, stream: Stream) -> tuple[Leaves, Tensor, Tensor, Tensor]:
        """Leaves of every pair; what is shown and what is asked; ``[P, CLASSES * ASKED]`` classes, the first of them shown."""
        (agents,), (envs,) = pairs.agents.batches, pairs.envs.batches
        leaves = {name: leaf[pairs.agent] for name, leaf in agents.leaves.items()}
        genes = {name: leaf[pairs.env] for name, leaf in envs.leaves.items()}
        plain = Stream(1).rows(genes["seed"]).normal(CLASSES, SIDE, SIDE)
        plain = functional.avg_pool2d(plain, 3, stride=1, padding=1) * 3.0
        names = torch.arange(CLASSES).repeat_interleave(SHOWN).repeat(ASKED // SHOWN).expand(len(pairs), -1)
        rough = stream.rows(combine(stream.row_keys if stream.row_keys is not None else 0, genes["seed"]))
        noise = rough.child("noise").normal(2, CLASSES * ASKED, SIDE, SIDE) * genes["noise"][:, None, None, None, None].float()
        seen = plain.gather(1, names[:, :, None, None].expand(-1, -1, SIDE, SIDE))[:, None] + noise
        order = names.argsort(dim=1, stable=True)
        asked = seen[:, 1].gather(1, order[:, :, None, None].expand(-1, -1, SIDE, SIDE))
        return leaves, seen[:, 0, : self.steps, None], asked[:, :, None], names


class Glyphs(aiga.Plugin):
    """Registers the domain ``glyphs``."""

    name = "glyphs"

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.domain("glyphs", GlyphsDomain())
