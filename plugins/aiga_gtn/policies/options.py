"""The options of ``gtn-policy``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

import aiga

_Units = Annotated[int, Field(strict=True, ge=1)]


class GtnPolicyOptions(aiga.Options):
    """How a teacher of policies is made and trained.

    Attributes:
        latents: what the generator makes lessons of: ``learned`` ones, or fresh ``noise``.
        noise: numbers of a latent.
        hidden: units of the generator's layers.
        reach: observations that are shown lie between this and its negative.
        target: action parameters that are asked for lie between this and its negative.
        steps: of a learner's life before it acts.
        batch: observations of a step.
        init_rate: inner learning rate of every step at first.
        max_rate: what no inner learning rate reaches.
        learners: fresh ones of each network in an outer step.
        architectures: of learners. ``common``, one that is sampled from the network's space for each outer step; ``sampled``,
            one for each learner; ``fixed``, the network's own.
        lives: of each learner in the domain, by which it is judged.
        optimiser: whose losses of lives the teacher descends.
        lr: Adam's step size.
        beta1: decay of the mean of gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the root of that mean.
        decay: outer steps over which the step size falls to a tenth, along a cosine; 0 for never.
        at_once: learners in one call, at most.
        threads: of a CPU; 0 for as many as torch takes. Bits may hang on it.
        epoch: outer steps of an epoch.
        validated: fresh learners of each network, of its own architecture, that a validation judges; 0 for none.
        validated_lives: of each of these.
        taught: fresh learners of each network that the domain's report judges at the end.
    """

    latents: Literal["learned", "noise"] = "learned"
    noise: int = Field(default=32, ge=1)
    hidden: Annotated[tuple[_Units, ...], Field(strict=False)] = (64, 64)
    reach: float = Field(default=2.0, gt=0.0)
    target: float = Field(default=10.0, gt=0.0)
    steps: int = Field(default=1, ge=1)
    batch: int = Field(default=512, ge=2)
    init_rate: float = Field(default=0.1, gt=0.0)
    max_rate: float = Field(default=10.0, gt=0.0)
    learners: int = Field(default=16, ge=1)
    architectures: Literal["common", "sampled", "fixed"] = "common"
    lives: int = Field(default=4, ge=2)
    optimiser: str = "a2c"
    lr: float = Field(default=3e-3, gt=0.0)
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    epsilon: float = Field(default=1e-8, gt=0.0)
    decay: int = Field(default=0, ge=0)
    at_once: int = Field(default=64, ge=1)
    threads: int = Field(default=1, ge=0, le=1024)
    epoch: int = Field(default=20, ge=1)
    validated: int = Field(default=16, ge=0)
    validated_lives: int = Field(default=8, ge=1)
    taught: int = Field(default=10, ge=1)

    @model_validator(mode="after")
    def _rates(self) -> GtnPolicyOptions:
        if self.init_rate >= self.max_rate:
            raise ValueError(f"init_rate {self.init_rate:g} must be below max_rate {self.max_rate:g}. Write a larger max_rate.")
        return self
