"""The options of the searches."""

from __future__ import annotations

from pydantic import Field, model_validator

import aiga


class SearchOptions(aiga.Options):
    """What every search has.

    Attributes:
        batch: architectures proposed in an iteration.
        optimiser: that trains newborn agents before they are scored.
        steps: of it, the same for every agent.
        forecast: an optimiser whose few steps tell which proposals are not worth the training; none where empty.
        forecast_steps: of it.
        forecast_keep: share of the proposals that are trained then.
        trials: most recent trials that the state of a run holds; the journal holds all.
    """

    batch: int = Field(default=8, ge=1)
    optimiser: str = Field(default="meta-gradient", min_length=1)
    steps: int = Field(default=200, ge=1)
    forecast: str = ""
    forecast_steps: int = Field(default=16, ge=1)
    forecast_keep: float = Field(default=0.5, gt=0.0, le=1.0)
    trials: int = Field(default=1000, ge=1)


class RandomOptions(SearchOptions):
    """Options of ``random-search``.

    Attributes:
        best: architectures that stay.
    """

    best: int = Field(default=16, ge=1)


class EvolutionOptions(SearchOptions):
    """Options of ``regularised-evolution``.

    Attributes:
        population: architectures that live; the paper has 100.
        sample: drawn for a tournament, with replacement; the paper has 25.
        crossover: share of children that are crossed of the winners of two tournaments before they are mutated.
    """

    population: int = Field(default=16, ge=2)
    sample: int = Field(default=4, ge=1)
    crossover: float = Field(default=0.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _batch_fits(self) -> EvolutionOptions:
        if self.batch > self.population:
            raise ValueError(
                f"batch is {self.batch} with a population of {self.population}, so that children would die unborn. "
                "Write a batch of at most the population."
            )
        return self


class TpeOptions(SearchOptions):
    """Options of ``tpe``.

    Attributes:
        best: architectures that stay.
        startup: trials that are random, before there is a model.
        candidates: drawn of the model of good trials for each choice; the likeliest to be good is taken.
    """

    best: int = Field(default=16, ge=1)
    startup: int = Field(default=10, ge=1)
    candidates: int = Field(default=24, ge=1)
