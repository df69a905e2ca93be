"""Policy gradients with parameter-based exploration (Sehnke et al. 2010), stepped by ClipUp (Toklu et al. 2020) or Adam."""

from __future__ import annotations

from typing import Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor

import aiga
from aiga_es.adam import adam_columns, adam_state, start_adam
from aiga_es.draws import Draws
from aiga_es.evolution import Columns, Evolution
from aiga_es.ranks import centred_ranks
from aiga_es.sampled import tell_in_blocks


class PgpeOptions(aiga.Options):
    """ClipUp's settings for locomotion by default.

    Attributes:
        population: perturbed agents scored for each niche in each step: half as many symmetric pairs.
        episodes: lifetimes of each perturbed agent.
        optimizer: what steps the centre.
        center_learning_rate: length of a step of ClipUp before momentum; Adam's step size.
        max_speed: longest step of ClipUp; twice ``center_learning_rate`` where left out.
        momentum: of ClipUp.
        stdev_init: standard deviation of every parameter at first.
        stdev_learning_rate: how far the standard deviations follow their gradient.
        stdev_min: smallest standard deviation.
        stdev_max_change: largest change of a standard deviation in one step, as a share of it.
    """

    population: int = Field(default=512, ge=2)
    episodes: int = Field(default=1, ge=1)
    optimizer: Literal["clipup", "adam"] = "clipup"
    center_learning_rate: float = Field(default=0.075, gt=0.0)
    max_speed: float | None = Field(default=None, gt=0.0)
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    stdev_init: float = Field(default=0.04, gt=0.0)
    stdev_learning_rate: float = Field(default=0.1, ge=0.0)
    stdev_min: float = Field(default=0.0, ge=0.0)
    stdev_max_change: float = Field(default=0.2, ge=0.0)

    @field_validator("population")
    @classmethod
    def _even(cls, population: int) -> int:
        if population % 2:
            raise ValueError(f"symmetric pairs need an even population, found {population}; write {population + 1}")
        return population


class PgpeRule:
    """evotorch's ``pgpe_tell`` for a batch of niches, on ranks that average ties and put failures last.

    A niche in which no pair differs tells nothing about where to go: its centre stays.
    """

    antithetic = True

    def __init__(self, options: PgpeOptions) -> None:
        self._options = options

    def start(self, centre: Tensor) -> Columns:
        columns = {"stdev": torch.full_like(centre, self._options.stdev_init, dtype=torch.float32)}
        if self._options.optimizer == "adam":
            return {**columns, **start_adam(centre)}
        return {**columns, "velocity": torch.zeros_like(centre, dtype=torch.float32)}

    def stdev(self, state: Columns) -> Tensor:
        return state["stdev"]

    def tell(self, centre: Tensor, draws: Draws, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
        return tell_in_blocks(self._tell, centre, draws, fitness, state)

    def _tell(self, centre: Tensor, values: Tensor, fitness: Tensor, state: Columns) -> tuple[Tensor, Columns]:
        # evotorch takes seconds to import (it brings ray).
        from evotorch.algorithms.functional.funcpgpe import PGPEState, pgpe_tell

        options, stdev, ranks = self._options, state["stdev"].double(), centred_ranks(fitness)
        before = PGPEState(
            optimizer=options.optimizer,
            optimizer_state=self._optimizer_state(centre, state),
            stdev=stdev,
            stdev_learning_rate=stdev.new_tensor(options.stdev_learning_rate),
            stdev_min=torch.full_like(stdev, options.stdev_min),
            stdev_max=torch.full_like(stdev, torch.inf),
            stdev_max_change=torch.full_like(stdev, options.stdev_max_change),
            ranking_method="raw",
            maximize=True,
            symmetric=True,
        )
        after = pgpe_tell(before, values, ranks)
        moved = (ranks[:, 0::2] != ranks[:, 1::2]).any(dim=1)
        stepped = after.optimizer_state
        columns = adam_columns(stepped) if options.optimizer == "adam" else {"velocity": stepped.velocity.float()}
        kept = {name: _where(moved, column, state[name]) for name, column in columns.items()}
        return _where(moved, stepped.center.to(centre.dtype), centre), {"stdev": after.stdev.float(), **kept}

    def _optimizer_state(self, centre: Tensor, state: Columns) -> Any:
        from evotorch.algorithms.functional.funcclipup import ClipUpState

        options, centre = self._options, centre.double()
        lr = centre.new_full((len(centre),), options.center_learning_rate)
        if options.optimizer == "adam":
            return adam_state(centre, state, lr)
        return ClipUpState(
            center=centre,
            velocity=state["velocity"].double(),
            center_learning_rate=lr,
            momentum=centre.new_tensor(options.momentum),
            max_speed=lr * 2.0 if options.max_speed is None else centre.new_tensor(options.max_speed),
        )


class Pgpe(aiga.Plugin):
    """Registers the optimiser ``pgpe``."""

    name = "pgpe"
    Options = PgpeOptions
    options: PgpeOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        options = self.options
        registry.optimiser("pgpe", Evolution("pgpe", PgpeRule(options), options.population, options.episodes))


def _where(rows: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(rows.reshape(-1, *[1] * (new.ndim - 1)), new, old)
