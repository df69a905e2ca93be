"""A teacher: material for every step of a learner's life, and the step sizes that it shall learn with; all of it learned."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

import aiga
from aiga_gtn.generator import ConvolutionalGenerator, DenseGenerator
from aiga_gtn.lessons import Examples, Generated, Lesson, Material, Order, Pixels, Real, Subset
from aiga_gtn.options import GtnOptions

if TYPE_CHECKING:
    from aiga import Space

_SURE = 5.0  # logit of a learned label's class at first, above the others


class Taught(NamedTuple):
    """What learners are shown in some steps, and how they shall follow it.

    Attributes:
        x: ``[T, N, *shape]`` examples.
        y: ``[T, N, classes]`` how probable each class is.
        rate, momentum: ``[T]`` of SGD.
    """

    x: Tensor
    y: Tensor
    rate: Tensor
    momentum: Tensor


class Teacher(nn.Module):
    """Lessons and rates of ``T`` steps.

    A rate lies between 0 and ``max_rate``, and below it moves by its logarithm; a momentum lies between 0 and 1.

    Args:
        material: what lessons are made of.
        steps: ``T``.
        shape: of one example.
        classes: labels there are.
        rate: of every step at first.
        momentum: of every step at first.
        max_rate: what no rate reaches.
        soft: whether labels are learned: a distribution for each thing that the material holds, or for each class.
    """

    def __init__(
        self,
        material: Material,
        steps: int,
        shape: tuple[int, ...],
        classes: int,
        rate: float,
        momentum: float,
        max_rate: float,
        soft: bool,
    ) -> None:
        super().__init__()
        self.material = cast(nn.Module, material)
        self.steps, self.shape, self.classes, self._max_rate = steps, shape, classes, max_rate
        self.rates = nn.Parameter(torch.full((steps,), _logit(rate / max_rate)))
        self.momenta = nn.Parameter(torch.full((steps,), _logit(momentum)))
        born = functional.one_hot(torch.arange(material.held or classes) % classes, classes).float() * _SURE
        self.labels = nn.Parameter(born) if soft else None

    @property
    def pace(self) -> tuple[Tensor, Tensor]:
        """``[T]`` rates, and ``[T]`` momenta."""
        return self._pace(self.rates, self.momenta)

    def draw(self, rng: aiga.Stream) -> Lesson:
        """A lesson on the teacher's device, and in the form of its numbers."""
        lesson = cast(Material, self.material).draw(rng)
        given = None if lesson.given is None else lesson.given.to(self.rates)
        on = self.rates.device
        return Lesson(lesson.labels.to(on), None if lesson.chosen is None else lesson.chosen.to(on), given)

    def show(self, lesson: Lesson, first: int, last: int) -> Taught:
        """What is shown from step ``first`` up to ``last``; gradients flow to all that is learned."""
        x = cast(Material, self.material).show(lesson, first, last)
        labels = lesson.labels[first:last]
        if self.labels is None:
            y = functional.one_hot(labels, self.classes).to(x)
        else:
            chosen = labels if lesson.chosen is None else lesson.chosen[first:last]
            y = torch.softmax(self.labels[chosen], dim=2)
        return Taught(x, y, *self._pace(self.rates[first:last], self.momenta[first:last]))

    def _pace(self, rates: Tensor, momenta: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sigmoid(rates) * self._max_rate, torch.sigmoid(momenta)


def new(options: GtnOptions, inputs: Space, outputs: Space, examples: Examples, rng: aiga.Stream) -> Teacher:
    """A teacher that has learnt nothing yet.

    Args:
        options: of the plugin.
        inputs: of the domain.
        outputs: of the domain.
        examples: of the domain, to learn from.
        rng: everything random in it is drawn from this.

    Raises:
        aiga.InputError: if the generator makes nothing of such a shape.
    """
    classes, steps, batch = outputs.shape[0], options.steps, options.batch
    shape, reach, numbers = inputs.shape, options.reach, options.noise + outputs.shape[0]
    material: Material
    if options.teacher == "data":
        material = Real(examples, steps, batch)
    elif options.teacher == "subset":
        material = Subset(rng.child("subset"), examples, steps, batch)
    elif options.teacher == "pixels":
        material = Pixels(rng.child("pixels"), steps, batch, shape, classes, reach)
    else:
        generator = (
            DenseGenerator(rng.child("generator"), numbers, options.hidden, shape, reach)
            if options.generator == "dense"
            else ConvolutionalGenerator(rng.child("generator"), numbers, options.units, options.channels, shape, reach)
        )
        order: Order | None = None if options.teacher == "none" else options.teacher
        material = Generated(rng.child("latents"), generator, steps, batch, options.noise, classes, order)
    soft = options.labels == "learned"
    return Teacher(material, steps, shape, classes, options.init_rate, options.init_momentum, options.max_rate, soft)


def _logit(share: float) -> float:
    return math.log(share / (1.0 - share))
