"""The loss of ``text`` for networks that unroll whole lives: as one word after another would have it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from aiga import Batch, Kind, Pairs, Population, Stream
from aiga_plasticity import Backpropamine, BackpropamineNetwork
from aiga_text import genome
from aiga_text.corpus import Source
from aiga_text.domain import TextDomain

DOMAIN = TextDomain(Source(vocabulary=60), passage=40, steps=8)
OPTIONS = Backpropamine.Options(units=5, reward=False, previous_action=False, value=False, alpha_scale=0.5)
NETWORK = BackpropamineNetwork(OPTIONS)


class Steps:
    """The network without its ``unroll``."""

    def __getattr__(self, name: str) -> Any:
        if name == "unroll":
            raise AttributeError(name)
        return getattr(NETWORK, name)


def agents(count: int) -> Batch:
    layout = NETWORK.build(NETWORK.structure, DOMAIN.inputs, DOMAIN.outputs)
    leaves = NETWORK.init(Stream(2), layout, count)
    return Batch.of(Kind("any", dict(NETWORK.structure)), {name: leaf.requires_grad_() for name, leaf in leaves.items()})


@pytest.mark.parametrize("agent", [[0, 0, 1, 1, 2, 2], [2, 0, 1], [0, 1, 1], [0, 1, 0, 1]], ids=str)
def test_losses_and_gradients_are_those_of_steps(agent: list[int]) -> None:
    batch, count = agents(3), len(agent)
    envs = genome.passages(torch.arange(count) * 7, torch.tensor([40, 5, 9, 40, 30, 12])[:count])  # some shorter than a stretch
    pairs = Pairs.of(Population((envs,)), Population((batch,)), torch.arange(count), torch.tensor(agent))
    found = []
    for network in (NETWORK, Steps()):
        loss = DOMAIN.loss(pairs, network, Stream(1))  # type: ignore[arg-type]
        found.append((loss.detach(), torch.autograd.grad(loss.sum(), list(batch.leaves.values()))))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-4)
