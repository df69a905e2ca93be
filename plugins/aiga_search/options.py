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
        forecast_keep: share of the proposals that are trained then, at least one; with 1 forecasts are but judged.
        forecast_sample: chance of a rejected one to be trained all the same, so that what forecasts are worth is known without
            bias.
        forecast_window: most recent forecasts, judged by real evaluation, that tell what forecasts are worth.
        forecast_least: of them there must be before the forecast can lose its say.
        forecast_level: chance at which a worthless forecast may seem to be worth something.
        trials: most recent trials that the state of a run holds; the journal holds all.
    """

    batch: int = Field(default=8, ge=1)
    optimiser: str = Field(default="meta-gradient", min_length=1)
    steps: int = Field(default=200, ge=1)
    forecast: str = ""
    forecast_steps: int = Field(default=16, ge=1)
    forecast_keep: float = Field(default=0.5, gt=0.0, le=1.0)
    forecast_sample: float = Field(default=0.1, gt=0.0, le=1.0)
    forecast_window: int = Field(default=200, ge=2)
    forecast_least: int = Field(default=30, ge=2)
    forecast_level: float = Field(default=0.05, gt=0.0, lt=1.0)
    trials: int = Field(default=1000, ge=1)

    @property
    def idle(self) -> list[str]:
        """Options of forecasts that are set, though nobody forecasts."""
        # A run's own configuration names every option: what is as it would be anyway says nothing.
        fields = type(self).model_fields
        changed = [name for name in fields if name.startswith("forecast_") and getattr(self, name) != fields[name].default]
        return [] if self.forecast else changed

    @model_validator(mode="after")
    def _ends_its_trial(self) -> SearchOptions:
        if self.forecast_window < self.forecast_least:
            raise ValueError(
                f"forecast_window {self.forecast_window} is below forecast_least {self.forecast_least}, so that a forecast "
                "would be on trial for ever. Write a larger forecast_window."
            )
        return self


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
