"""The options of ``gtn``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

import aiga

_Units = Annotated[int, Field(strict=True, ge=1)]


class GtnOptions(aiga.Options):
    """How a teacher is made and trained, and for the optimiser which one teaches.

    Attributes:
        teacher: what learners are shown. A generator's examples of ``full`` (learned latents in fixed order),
            ``batch-shuffled`` (learned batches in random order), ``all-shuffled`` (learned latents in random order) or ``none``
            (fresh noise); and for comparison ``pixels`` (learned examples without a generator), ``data`` (fresh real examples)
            or ``subset`` (real ones that stay the same). Rates are learned in all of them.
        generator: ``dense`` layers, or ``convolutional``, the paper's.
        hidden: units of the dense generator's layers.
        units: of the convolutional generator's first layer.
        channels: of the convolutional generator.
        noise: numbers of a latent.
        reach: examples lie between this and its negative.
        labels: ``fixed`` classes, or ``learned`` distributions over them.
        steps: of a learner's life.
        batch: examples of a step.
        init_rate: inner learning rate of every step at first.
        init_momentum: inner momentum of every step at first.
        max_rate: what no inner learning rate reaches.
        learners: fresh ones of each network in an outer step.
        architectures: of learners. ``common``, one that is sampled from the network's space for each outer step; ``sampled``,
            one for each learner; ``fixed``, the network's own.
        examples: real ones that each learner is judged by.
        intermediate: steps after which learners are judged again and again; 0 only at the end.
        lr: Adam's step size.
        beta1: decay of the mean of gradients.
        beta2: decay of the mean of their squares.
        epsilon: added to the root of that mean.
        decay: outer steps over which the step size falls to a tenth, along a cosine; 0 for never.
        block: steps that are replayed at once for the gradient, instead of being kept; 0 keeps all.
        at_once: learners in one call, at most.
        threads: of a CPU; 0 for as many as torch takes. Bits may hang on it.
        epoch: outer steps of an epoch.
        validated: fresh learners of each network that a validation judges; 0 for none.
        taught: fresh learners of each network that the domain's report judges at the end.
        teacher_file: for the optimiser, ``teacher.safetensors`` of a training.
    """

    teacher: Literal["full", "batch-shuffled", "all-shuffled", "none", "pixels", "data", "subset"] = "full"
    generator: Literal["dense", "convolutional"] = "dense"
    hidden: Annotated[tuple[_Units, ...], Field(strict=False)] = (128, 128)
    units: int = Field(default=1024, ge=1)
    channels: Annotated[tuple[_Units, _Units], Field(strict=False)] = (128, 64)
    noise: int = Field(default=32, ge=1)
    reach: float = Field(default=2.0, gt=0.0)
    labels: Literal["fixed", "learned"] = "fixed"
    steps: int = Field(default=10, ge=1)
    batch: int = Field(default=64, ge=2)
    init_rate: float = Field(default=0.3, gt=0.0)
    init_momentum: float = Field(default=0.5, gt=0.0, lt=1.0)
    max_rate: float = Field(default=10.0, gt=0.0)
    learners: int = Field(default=4, ge=1)
    architectures: Literal["common", "sampled", "fixed"] = "common"
    examples: int = Field(default=256, ge=1)
    intermediate: int = Field(default=0, ge=0)
    lr: float = Field(default=0.01, gt=0.0)
    beta1: float = Field(default=0.9, ge=0.0, lt=1.0)
    beta2: float = Field(default=0.999, ge=0.0, lt=1.0)
    epsilon: float = Field(default=1e-8, gt=0.0)
    decay: int = Field(default=0, ge=0)
    block: int = Field(default=0, ge=0)
    at_once: int = Field(default=64, ge=1)
    threads: int = Field(default=1, ge=0, le=1024)
    epoch: int = Field(default=100, ge=1)
    validated: int = Field(default=8, ge=0)
    taught: int = Field(default=10, ge=1)
    teacher_file: Annotated[str, AfterValidator(aiga.hooks.absolute)] = ""

    @model_validator(mode="after")
    def _rates(self) -> GtnOptions:
        if self.init_rate >= self.max_rate:
            raise ValueError(f"init_rate {self.init_rate:g} must be below max_rate {self.max_rate:g}. Write a larger max_rate.")
        return self
