"""Spaces of architectures that forecasts are compared in, and newborn agents of them, all on handwritten digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch

import aiga
from aiga import Population, Stream
from aiga.components import Structure
from aiga_architectures import Convnet, ConvnetNetwork, Perceptron, PerceptronNetwork
from aiga_digits.domain import DigitsDomain
from aiga_search.site import Site

DOMAIN = DigitsDomain()
ENVS = DOMAIN.named("all")
PERCEPTRON = PerceptronNetwork(Perceptron.Options(widths=(4, 64)))
CONVNET = ConvnetNetwork(Convnet.Options(widths=(8, 16), depths=(1, 2), most_nodes=2))
NETWORKS: dict[str, aiga.Network] = {"perceptron": PERCEPTRON, "convnet": CONVNET}


def network(name: str) -> aiga.Network:
    """One of those that architectures are of."""
    return NETWORKS[name]


@dataclass(frozen=True)
class Space:
    """Architectures to tell apart.

    Attributes:
        name: of the space.
        of: names of the networks; an equal share of the architectures is of each.
        goal: the rank correlation that the best forecast is to be above.
        rates: rates and momenta that real steps are tried at.
        outer: outer steps of a teacher.
        learners: of each network in an outer step.
    """

    name: str
    of: tuple[str, ...]
    goal: float
    rates: tuple[tuple[float, float], ...]
    outer: int
    learners: int

    @property
    def networks(self) -> dict[str, aiga.Network]:
        """By name."""
        return {name: NETWORKS[name] for name in self.of}

    def structures(self, draw: int, count: int) -> dict[str, Sequence[Structure]]:
        """An equal share of ``count`` random architectures of each network."""
        rng = Stream(draw).child("structures")
        return {name: cast(Any, NETWORKS[name]).space.initial(rng, count // len(self.of)) for name in self.of}


def born(structures: dict[str, Sequence[Structure]], seed: int) -> Population:
    """A newborn agent of each structure, in their order."""
    batches, first = list[aiga.Batch](), 0
    for name, mine in structures.items():
        rng = Stream(seed).child("born").rows(torch.arange(first, first + len(mine)))
        site = Site(name, NETWORKS[name], Population((ENVS,)), torch.device("cpu"))
        agents, order = site.newborns(rng, DOMAIN, mine)
        batches += agents.in_order(order).batches
        first += len(mine)
    return Population(tuple(batches))


SPACES = {
    space.name: space
    for space in (
        Space("perceptron", ("perceptron",), 0.86, ((0.1, 0.5), (0.3, 0.5), (0.1, 0.9), (0.3, 0.9)), 1000, 4),
        Space("mixed", ("perceptron", "convnet"), 0.77, ((0.1, 0.9), (0.3, 0.9), (1.0, 0.5), (1.0, 0.9)), 250, 2),
    )
}
