"""The genome of a cart and its pole: how much every quantity differs from that of the plain task, in doublings.

Leaves of a batch of ``B`` environments, float64 ``[B]``, each the logarithm to base 2 of a quantity in parts of the plain one:

===============  ==================================  =========  ===============
leaf             quantity                            plain      doublings
===============  ==================================  =========  ===============
``gravity``      downwards                           9.8 m/s²   -2 to 2
``cart_mass``    of the cart                         1 kg       -2 to 2
``pole_mass``    of the pole                         0.1 kg     -2 to 4
``pole_length``  half of the pole's length           0.5 m      -2 to 2
``force``        of a push                           10 N       -2 to 2
``spread``       greatest distance of each of the    0.05       -2 to 2
                 four numbers at birth from zero
===============  ==================================  =========  ===============

All zeros are CartPole as Gymnasium has it. Only sums and products make physics of genes: their bits are the same on any device
and in any company.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream

VERSION: Final = 1


class Gene(NamedTuple):
    """A quantity: what it is in the plain task, and its bounds in doublings of that."""

    plain: float
    low: float = -2.0
    high: float = 2.0


GENES: Final = {
    "gravity": Gene(9.8),
    "cart_mass": Gene(1.0),
    "pole_mass": Gene(0.1, high=4.0),
    "pole_length": Gene(0.5),
    "force": Gene(10.0),
    "spread": Gene(0.05),  # at most 0.2: a pole is never born fallen
}
PLAIN: Final = "CartPole"
NAMED: Final[Mapping[str, Mapping[str, float]]] = {
    PLAIN: {},
    "heavy-pole": {"pole_mass": 4.0},
    "long-pole": {"pole_length": 2.0},
    "short-pole": {"pole_length": -2.0},
    "weak-push": {"force": -2.0},
    "strong-gravity": {"gravity": 1.5},
}
_HALVINGS: Final = 3  # of an exponent before its series, which is then exact to the last places


def environment(doublings: Mapping[str, float]) -> Batch:
    """One environment, plain but for these genes."""
    leaves = {name: torch.tensor([doublings.get(name, 0.0)], dtype=torch.float64) for name in GENES}
    return Batch.of(Kind("cartpole", {"version": VERSION}), leaves)


def physics(envs: Batch) -> dict[str, Tensor]:
    """``[B]`` float64 by the gene's name: each quantity in its unit."""
    return {name: gene.plain * _power_of_two(envs.leaves[name]) for name, gene in GENES.items()}


def mutate(rng: Stream, parents: Batch, sigma: float) -> Batch:
    """One child for each of ``B`` parents: every gene is multiplied with a chance of a half, and one at least.

    Args:
        rng: with a row key for each child; without, rows are keyed by their position.
        parents: environments.
        sigma: standard deviation of the logarithm of the factor, in doublings.
    """
    rng, device, count = rng.each(len(parents)), parents.device, len(GENES)
    chosen = rng.child("which").uniform(count, device=device) < 0.5
    sure = torch.nn.functional.one_hot(rng.child("sure").integers(0, count, device=device), count).bool()
    change = sigma * rng.child("change").normal(count, device=device).double() * (chosen | sure)
    moved = {
        name: (parents.leaves[name] + change[:, number]).clamp(gene.low, gene.high)
        for number, (name, gene) in enumerate(GENES.items())
    }
    return Batch.of(parents.kind, moved)


def describe(envs: Batch) -> Tensor:
    """``[B, 6]`` float64: the genes."""
    return torch.stack([envs.leaves[name] for name in GENES], dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64: Euclidean distance of descriptions."""
    # Differences, not the faster matrix product, so that equal environments are at exactly 0.
    return (describe(a)[:, None] - describe(b)[None]).square().sum(dim=-1).sqrt()


def _power_of_two(x: Tensor) -> Tensor:
    """``2 ** x`` for ``x`` up to 4 from zero; exactly 1 at 0."""
    # torch.exp2 rounds differently in a vector's body, in its tail and on a GPU.
    part = x * (math.log(2.0) / 2**_HALVINGS)
    out = torch.zeros_like(x)
    for term in range(12, -1, -1):
        out = out * part + 1.0 / math.factorial(term)
    for _ in range(_HALVINGS):
        out = out * out
    return out
