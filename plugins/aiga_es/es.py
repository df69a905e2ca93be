"""Evolution strategies as POET uses them (Salimans et al. 2017; Wang et al. 2019): antithetic pairs, centred ranks, Adam."""

from __future__ import annotations

import torch
from pydantic import Field, field_validator
from torch import Tensor

import aiga
from aiga.sums import tree_sum
from aiga_es.adam import climb, start_adam
from aiga_es.draws import Draws
from aiga_es.evolution import Columns, Evolution
from aiga_es.ranks import centred_ranks

_NUMBERS = 2**20  # normal numbers held at a time; the gradient's bits do not depend on it
_GROUP = 64  # pairs added in one tree; they do depend on it


class EsOptions(aiga.Options):
    """POET's values; a decay applies once a step, and counts from a niche's last new agent.

    Attributes:
        population: perturbed agents scored for each niche in each step: half as many antithetic pairs.
        episodes: lifetimes of each perturbed agent.
        lr: Adam's step size at first.
        lr_decay: what the step size is multiplied by after each step.
        lr_floor: smallest step size.
        sigma: standard deviation of the perturbations at first, in units of the parameters.
        sigma_decay: what sigma is multiplied by after each step.
        sigma_floor: smallest sigma.
        weight_decay: pull of each parameter towards zero, in units of the gradient.
    """

    population: int = Field(default=512, ge=2)
    episodes: int = Field(default=1, ge=1)
    lr: float = Field(default=0.01, gt=0.0)
    lr_decay: float = Field(default=0.9999, gt=0.0, le=1.0)
    lr_floor: float = Field(default=0.001, ge=0.0)
    sigma: float = Field(default=0.1, gt=0.0)
    sigma_decay: float = Field(default=0.999, gt=0.0, le=1.0)
    sigma_floor: float = Field(default=0.01, ge=0.0)
    weight_decay: float = Field(default=0.01, ge=0.0)

    @field_validator("population")
    @classmethod
    def _even(cls, population: int) -> int:
        if population % 2:
            raise ValueError(f"antithetic pairs need an even population, found {population}; write {population + 1}")
        return population


class EsRule:
    """One step of evolution strategies with Adam, for a batch of niches.

    With ``r`` the ranks, jointly centred over all ``2 K`` perturbations of a niche, and ``e`` the noise of pair ``k``::

        gradient = 1 / K * sum over k of (r[k, +] - r[k, -]) * e[k] / sigma

    as in POET's code, where the sum is divided by the number of pairs. Adam (0.9, 0.999, 1e-8) climbs
    ``gradient - weight_decay * agent``, so that the decay goes through Adam's moments too.
    """

    antithetic = True

    def __init__(self, options: EsOptions) -> None:
        self._options = options

    def start(self, centre: Tensor) -> Columns:
        count = (len(centre),)
        return {
            **start_adam(centre),
            "lr": torch.full(count, self._options.lr, dtype=torch.float64, device=centre.device),
            "sigma": torch.full(count, self._options.sigma, dtype=torch.float64, device=centre.device),
        }

    def stdev(self, state: Columns) -> Tensor:
        return state["sigma"]

    def tell(self, centre: Tensor, draws: Draws, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
        options = self._options
        follow = gradient(draws, centred_ranks(fitness), state["sigma"], centre.shape[1])
        new, moments = climb(centre, follow - options.weight_decay * centre.double(), state, state["lr"])
        return new, {
            **moments,
            "lr": (state["lr"] * options.lr_decay).clamp(min=options.lr_floor),
            "sigma": (state["sigma"] * options.sigma_decay).clamp(min=options.sigma_floor),
        }


class Es(aiga.Plugin):
    """Registers the optimiser ``es``."""

    name = "es"
    Options = EsOptions
    options: EsOptions

    def notice(self) -> list[str]:
        """What differs from POET's values."""
        poet = EsOptions()
        mine = {name: getattr(self.options, name) for name in EsOptions.model_fields}
        off = [f"{name} {value} (POET: {getattr(poet, name)})" for name, value in mine.items() if value != getattr(poet, name)]
        return [f"unlike POET: {', '.join(off)}"] if off else []

    def aiga_register(self, registry: aiga.Registry) -> None:
        options = self.options
        registry.optimiser("es", Evolution("es", EsRule(options), options.population, options.episodes))


def gradient(draws: Draws, ranks: Tensor, sigma: Tensor, size: int) -> Tensor:
    """``[B, D]`` float64: mean over pairs of rank difference times noise, over ``sigma`` ``[B]``; ``ranks`` is ``[B, 2 K]``.

    Pairs are added in double precision in a fixed tree, groups of them one after another: neither memory nor company changes a
    bit, which a matrix product would not promise.
    """
    weight = ranks[:, 0::2] - ranks[:, 1::2]
    rows, pairs = weight.shape
    out = torch.zeros(rows, size, dtype=torch.float64, device=ranks.device)
    some = max(1, _NUMBERS // (_GROUP * size))
    for first in range(0, rows, some):
        part = draws.take(slice(first, first + some))
        for start in range(0, pairs, _GROUP):
            noise = part.normal(start, min(start + _GROUP, pairs), size, ranks.device)
            out[first : first + some] += tree_sum(weight[first : first + some, start : start + _GROUP, None] * noise)
    return out / (pairs * sigma[:, None])
