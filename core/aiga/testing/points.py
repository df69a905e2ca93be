"""``points``: a domain for tests. An environment is a point of the plane, an agent sees it and should answer with it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from aiga.components import Lab, Network, Percept, Registry, Space
from aiga.data import Batch, Kind, Pairs, Scores, Trajectory
from aiga.hooks import Plugin, Subject
from aiga.streams import Stream

REACH = 5.0


class PointsDomain:
    """Fitness is 300 less 60 for each unit of distance, less a little chance that the episode's seed decides."""

    version = 1
    solved = 230.0
    steps = 1
    inputs = Space((2,))
    outputs = Space((2,), low=-1.0, high=1.0)
    parallelism: Literal["serial", "threads", "device"] = "device"

    def initial(self, rng: Stream, count: int) -> Batch:
        """The origin, ``count`` times."""
        seed = rng.rows(torch.arange(count)).words(1)[:, 0]
        return Batch.of(Kind("points", {"version": 1}), {"point": torch.zeros(count, 2, dtype=torch.float64), "seed": seed})

    def mutate(self, rng: Stream, parents: Batch) -> Batch:
        """Steps of normal length in both directions, rounded to 0.1."""
        step = rng.child("step").normal(2).double()
        point = ((parents.leaves["point"] + step) * 10).round() / 10
        return Batch.of(parents.kind, {"point": point, "seed": rng.child("seed").words(1)[:, 0]})

    def describe(self, envs: Batch) -> Tensor:
        """The point."""
        return envs.leaves["point"].double()

    def distance(self, a: Batch, b: Batch) -> Tensor:
        """Euclidean."""
        return torch.cdist(self.describe(a), self.describe(b))

    def live(self, pairs: Pairs, network: Network, seeds: Tensor, record: bool = False) -> Scores | tuple[Scores, Trajectory]:
        """One look, one answer."""
        envs, env = pairs.envs.take(pairs.env)
        agents, agent = pairs.agents.take(pairs.agent)
        point = envs.batches[0].leaves["point"][env].float()
        leaves = {name: leaf[agent] for name, leaf in agents.batches[0].leaves.items()}
        seen = point.to(agents.batches[0].device) / REACH
        action = network.step(leaves, network.newborn(leaves), Percept(seen))[0].action
        miss = (action.double().cpu() * REACH - point.double()).square().sum(dim=1).sqrt()
        chance = Stream(0).rows(seeds).uniform(1)[:, 0]
        scores = Scores.of(300.0 - 60.0 * miss - chance, {"environment_steps": len(pairs)})
        if not record:
            return scores
        done = torch.ones(1, len(pairs), dtype=torch.bool)
        return scores, Trajectory(seen[None].cpu(), action[None].cpu(), scores.fitness[None], done)


class Points(Plugin):
    """Registers the domain ``points``, and draws its environments as dots."""

    name = "points"

    def aiga_register(self, registry: Registry) -> None:
        """The domain."""
        registry.domain("points", PointsDomain())

    def aiga_render(self, lab: Lab, subject: Subject) -> object:
        """A dark dot on light ground for each environment; nothing else."""
        if subject.what != "environments":
            return None
        pictures = []
        for batch in subject.envs.batches:
            if batch.kind.component != "points":
                return None
            for x, y in ((batch.leaves["point"] / REACH).clamp(-1, 1) * 14 + 16).long().tolist():
                picture = np.full((32, 32, 3), 240, dtype=np.uint8)
                picture[max(30 - y, 0) : 33 - y, max(x - 1, 0) : x + 2] = 40
                pictures.append(picture)
        return pictures
