"""``points``, with a loss that can be descended: for tests of optimisers that follow gradients."""

from __future__ import annotations

import torch
from torch import Tensor

import aiga
from aiga import Network, Pairs, Percept, Stream
from aiga.testing import points


class LossyPointsDomain(points.PointsDomain):
    """The mean squared miss, with a little chance in what is seen; no number where an environment lies beyond 50."""

    def loss(self, pairs: Pairs, network: Network, stream: Stream) -> Tensor:
        (envs,), (agents,) = pairs.envs.batches, pairs.agents.batches
        leaves = {name: leaf[pairs.agent] for name, leaf in agents.leaves.items()}
        point = envs.leaves["point"][pairs.env].float()
        seen = point / points.REACH + 0.01 * stream.child("seen").normal(2)
        action = network.step(leaves, network.newborn(leaves), Percept(seen))[0].action
        miss = (action * points.REACH - point).square().mean(dim=1)
        return torch.where(point.abs().amax(dim=1) > 50.0, torch.nan, miss)


class LossyPoints(points.Points):
    """Registers it as ``points``."""

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.domain("points", LossyPointsDomain())
