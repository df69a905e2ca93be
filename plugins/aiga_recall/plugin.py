"""The plugin ``recall``: registers the domain and draws tasks and lives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

import aiga
from aiga.hooks import absolute
from aiga_recall.genome import RANGES, Category, first, steps_of


def _distinct(categories: list[Category]) -> list[Category]:
    if len(set(categories)) < len(categories):
        raise ValueError("names a category twice. Name each once.")
    return categories


class RecallOptions(aiga.Options):
    """Options of recall.

    Attributes:
        source: ``binary`` patterns; or images: scikit-learn's ``digits`` or ``photographs``, or ``cifar-10``.
        bits: of the longest binary pattern, and of the first.
        folder: where CIFAR-10's binary version is.
        start: numbers of the first tasks: ``bits``, ``patterns``, ``cycles``, ``presentation``, ``gap``, ``probe``, ``blank``.
        categories: what mutation may change.
        steps: the longest episode that mutation makes.
    """

    source: Literal["binary", "digits", "photographs", "cifar-10"] = "binary"
    bits: int = Field(default=50, ge=4)
    folder: Annotated[str, AfterValidator(absolute)] | None = None
    start: dict[Category, float] = Field(default_factory=dict)
    categories: Annotated[list[Category], Field(min_length=1), AfterValidator(_distinct)] = Field(
        default=["patterns", "cycles", "presentation", "gap", "probe", "blank"]
    )
    steps: int = Field(default=250, ge=4)

    @model_validator(mode="after")
    def _possible(self) -> RecallOptions:
        if self.source == "cifar-10" and self.folder is None:
            raise ValueError('source "cifar-10" does not ship with aiga. Add folder = "...", where its data_batch_1.bin is.')
        if self.source != "binary" and ("bits" in self.start or "bits" in self.categories):
            raise ValueError(
                f'"bits" are those of binary patterns; images of {self.source} have the pixels they have. Leave it out.'
            )
        for name, number in self.start.items():
            low, high, _ = RANGES[name]
            high = min(high, self.bits) if name == "bits" else high
            if not low <= number <= high:
                raise ValueError(f"start.{name} must be from {low:g} to {high:g}, found {number:g}.")
            if name != "blank" and number != round(number):
                raise ValueError(f"start.{name} must be a whole number, found {number:g}.")
        numbers = first(self.source == "binary", self.start)
        length = steps_of(numbers)
        if length > self.steps:
            raise ValueError(
                f"the first tasks take {length} steps, more than steps = {self.steps}. Write steps = {length} or more."
            )
        return self


class Recall(aiga.Plugin):
    """Patterns to complete from a part, after they were shown a few times."""

    name: ClassVar[str] = "recall"
    Options: ClassVar[type[RecallOptions]] = RecallOptions
    options: RecallOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``recall``."""
        from aiga_recall.domain import RecallDomain
        from aiga_recall.episodes import Binary
        from aiga_recall.images import Images

        options = self.options
        folder = None if options.folder is None else Path(options.folder)
        source = Binary(options.bits) if options.source == "binary" else Images(options.source, folder)
        registry.domain("recall", RecallDomain(source, options.start, options.categories, options.steps))

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Tasks as what an agent sees in an episode, a life with its answer; see :func:`aiga_recall.draw.render`."""
        from aiga_recall.draw import render

        return render(lab.domain.source, subject)  # type: ignore[attr-defined]
