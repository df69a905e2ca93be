"""The options of ``gtn-niches``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

import aiga

_Names = Annotated[tuple[Annotated[str, Field(strict=True, min_length=1)], ...], Field(strict=False)]


class GtnNichesOptions(aiga.Options):
    """How niches' teachers are meta-learned, and what they are used for.

    Attributes:
        lessons: what learners are taught by: ``generated`` lives that the teacher makes up, or, as a control, stretches of the
            recorded ``lives`` of the niche's agent, at rates that are meta-learned likewise (behaviour cloning).
        networks: whose architectures are tried; those of the niches' agents that have a space, where left out.
        train_every: iterations from one round of meta-learning to the next.
        train_steps: outer steps of a round.
        apprenticeship: outer steps before a teacher is used.
        learners: fresh ones of each niche in an outer step, all of one architecture.
        recorded: lives of each niche's agent that a round imitates.
        forecast_lives: fresh ones that forecasts are made by.
        horizon: steps of a recorded life, from its beginning, that are imitated.
        steps: of gradient descent of a learner.
        batch: lives of a lesson.
        length: steps of each.
        noise: numbers of a latent.
        hidden: units of the generator's layer.
        reach: bound of what is shown, in standard deviations of what the niche's agent perceives.
        init_rate: inner learning rate of every step at first.
        max_rate: what no inner learning rate reaches.
        init_momentum: inner momentum of every step at first.
        lr: Adam's step size.
        clip: greatest norm of a teacher's gradient: steps that learners hardly bear make it explode.
        epsilon: of Adam.
        propose_every: iterations from one round of new architectures to the next.
        candidates: architectures proposed to each niche in a round.
        keep: share of them that goes on to real evaluation, at least one.
        sample: chance of a rejected one to go on all the same, so that what forecasts are worth is known without bias.
        window: most recent forecasts, judged by real evaluation, that tell what forecasts are worth.
        least: of them there must be before the forecast can lose its say.
        level: chance at which a worthless forecast may seem to be worth something.
        transfer_every: iterations from one round of taught transfers to the next; 0 for none.
        tune: optimiser steps of a taught agent in the niche that it is meant for, before it is scored there.
        episodes: lives of a taught agent, and as many of who lives in the niche, that decide whether it is worth offering.
        sure: standard errors by which it must be above who lives there, life by life on common seeds.
        threads: of a CPU; 0 for as many as torch takes. Bits may hang on it.
    """

    lessons: Literal["generated", "lives"] = "generated"
    networks: _Names = ()
    train_every: int = Field(default=5, ge=1)
    train_steps: int = Field(default=5, ge=1)
    apprenticeship: int = Field(default=40, ge=1)
    learners: int = Field(default=2, ge=1)
    recorded: int = Field(default=8, ge=1)
    forecast_lives: int = Field(default=8, ge=1)
    horizon: int = Field(default=64, ge=1)
    steps: int = Field(default=6, ge=1)
    batch: int = Field(default=8, ge=1)
    length: int = Field(default=12, ge=1)
    noise: int = Field(default=16, ge=1)
    hidden: int = Field(default=64, ge=1)
    reach: float = Field(default=3.0, gt=0.0)
    init_rate: float = Field(default=0.3, gt=0.0)
    max_rate: float = Field(default=3.0, gt=0.0)
    init_momentum: float = Field(default=0.5, gt=0.0, lt=1.0)
    lr: float = Field(default=5e-3, gt=0.0)
    clip: float = Field(default=0.5, gt=0.0)
    epsilon: float = Field(default=1e-8, gt=0.0)
    propose_every: int = Field(default=20, ge=1)
    candidates: int = Field(default=12, ge=1)
    keep: float = Field(default=0.34, gt=0.0, le=1.0)
    sample: float = Field(default=0.1, gt=0.0, le=1.0)
    window: int = Field(default=200, ge=2)
    least: int = Field(default=30, ge=2)
    level: float = Field(default=0.05, gt=0.0, lt=1.0)
    transfer_every: int = Field(default=20, ge=0)
    tune: int = Field(default=0, ge=0)
    episodes: int = Field(default=32, ge=2)
    sure: float = Field(default=1.0, ge=0.0)
    threads: int = Field(default=1, ge=0, le=1024)

    @model_validator(mode="after")
    def _rates(self) -> GtnNichesOptions:
        if self.init_rate >= self.max_rate:
            raise ValueError(f"init_rate {self.init_rate:g} must be below max_rate {self.max_rate:g}. Write a larger max_rate.")
        return self

    @model_validator(mode="after")
    def _ends_its_trial(self) -> GtnNichesOptions:
        if self.window < self.least:
            raise ValueError(
                f"window {self.window} is below least {self.least}, so that a forecast would be on trial for ever. Write a "
                "larger window."
            )
        return self
