"""The cross-entropy method (Rubinstein 1999; Duan et al. 2016): the next distribution is that of the best perturbations."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import Tensor

import aiga
from aiga_es.draws import Draws
from aiga_es.evolution import Columns, Evolution
from aiga_es.ranks import strict_ranks
from aiga_es.sampled import tell_in_blocks


class CemOptions(aiga.Options):
    """The distribution's start, and how many shape the next one.

    Attributes:
        population: perturbed agents scored for each niche in each step.
        episodes: lifetimes of each perturbed agent.
        parenthood_ratio: share of the population, best first, that shapes the next distribution.
        stdev_init: standard deviation of every parameter at first.
        stdev_min: keeps the search from freezing.
        stdev_max_change: largest change of a standard deviation in one step, as a share of it; unbounded where left out.
    """

    population: int = Field(default=512, ge=4)
    episodes: int = Field(default=1, ge=1)
    parenthood_ratio: float = Field(default=0.25, gt=0.0, le=1.0)
    stdev_init: float = Field(default=0.1, gt=0.0)
    stdev_min: float = Field(default=0.01, ge=0.0)
    stdev_max_change: float | None = Field(default=None, ge=0.0)

    @model_validator(mode="after")
    def _parents(self) -> CemOptions:
        if int(self.population * self.parenthood_ratio) < 2:
            found = f"parenthood_ratio {self.parenthood_ratio} of population {self.population}"
            raise ValueError(f"{found} leaves fewer than two parents; raise either")
        return self


class CemRule:
    """evotorch's ``cem_tell`` for a batch of niches; of equal fitnesses the earlier draw counts as better.

    A niche in which nothing differs, or fewer lived to be scored than are to be parents, stays as it is.
    """

    antithetic = False

    def __init__(self, options: CemOptions) -> None:
        self._options = options

    def start(self, centre: Tensor) -> Columns:
        return {"stdev": torch.full_like(centre, self._options.stdev_init, dtype=torch.float32)}

    def stdev(self, state: Columns) -> Tensor:
        return state["stdev"]

    def tell(self, centre: Tensor, draws: Draws, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
        return tell_in_blocks(self._tell, centre, draws, fitness, state)

    def _tell(self, centre: Tensor, values: Tensor, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
        # evotorch takes seconds to import (it brings ray).
        from evotorch.algorithms.functional.funccem import CEMState, cem_tell

        options, stdev = self._options, state["stdev"].double()
        change = torch.inf if options.stdev_max_change is None else options.stdev_max_change
        before = CEMState(
            center=centre.double(),
            stdev=stdev,
            stdev_min=torch.full_like(stdev, options.stdev_min),
            stdev_max=torch.full_like(stdev, torch.inf),
            stdev_max_change=torch.full_like(stdev, change),
            parenthood_ratio=options.parenthood_ratio,
            maximize=True,
        )
        after = cem_tell(before, values, strict_ranks(fitness))
        parents = int(fitness.shape[1] * options.parenthood_ratio)
        lived = ~fitness.isnan()
        ranked = torch.where(lived, fitness, -torch.inf)
        differ = (ranked < ranked.amax(dim=1, keepdim=True)).any(dim=1)
        told = (differ & (lived.sum(dim=1) >= parents))[:, None]
        new = torch.where(told, after.center.to(centre.dtype), centre)
        return new, {"stdev": torch.where(told, after.stdev.float(), state["stdev"])}


class Cem(aiga.Plugin):
    """Registers the optimiser ``cem``."""

    name = "cem"
    Options = CemOptions
    options: CemOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        options = self.options
        registry.optimiser("cem", Evolution("cem", CemRule(options), options.population, options.episodes))
