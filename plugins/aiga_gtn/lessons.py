"""What is taught, step by step: examples made of noise or of learned latents, learned pixels, or real examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

import aiga

Order = Literal["full", "batch-shuffled", "all-shuffled"]
Examples = Callable[[aiga.Stream, int], tuple[Tensor, Tensor]]
"""So many labelled examples of the domain for each row key of the stream: ``[B, N, *shape]`` and ``[B, N]``."""


class Lesson(NamedTuple):
    """All chance of one teaching of ``T`` steps with ``N`` examples each; learners that are taught together share it.

    Attributes:
        labels: ``[T, N]`` int64 classes.
        chosen: ``[T, N]`` int64, which of the material's own things each example is made of; None where it holds none.
        given: ``[T, N, ...]``, what examples are made of that is not the material's own; None where all is.
    """

    labels: Tensor
    chosen: Tensor | None = None
    given: Tensor | None = None

    def take(self, steps: Tensor) -> Lesson:
        """These steps, in this order."""
        return Lesson(*(None if part is None else part[steps] for part in self))  # type: ignore[arg-type]


def one_each(x: Tensor, labels: Tensor, classes: int) -> Tensor:
    """``[classes, *shape]``: the first example of each class; all darkest where there is none.

    Args:
        x: ``[N, *shape]`` examples.
        labels: ``[N]`` int64.
        classes: how many there are.
    """
    first = labels == torch.arange(classes, device=labels.device)[:, None]
    there = first.any(dim=1).reshape(-1, *[1] * (x.ndim - 1))
    return torch.where(there, x[first.int().argmax(dim=1)], x.min())


class Material(Protocol):
    """What lessons are made of; a ``torch.nn.Module``.

    Attributes:
        held: how many things of its own it makes examples of; 0 where it holds none.
    """

    held: int

    def draw(self, rng: aiga.Stream) -> Lesson:
        """A lesson, of which everything hangs on ``rng``."""
        ...

    def show(self, lesson: Lesson, first: int, last: int) -> Tensor:
        """``[last - first, N, *shape]``: the examples of these steps; gradients flow to the material's parameters."""
        ...


class Generated(nn.Module):
    """Examples that a generator makes of noise and label: of a learned curriculum of latents, or of fresh noise.

    Args:
        rng: latents are drawn from it.
        generator: see :mod:`aiga_gtn.generator`.
        steps, batch: ``T`` and ``N``.
        noise: numbers of a latent.
        classes: labels there are; a learned latent's is its number modulo these.
        order: ``full``, every latent has its step and place; ``batch-shuffled``, the batches come in random order;
            ``all-shuffled``, all latents do; None, nothing is learned: noise and labels are fresh in every lesson.
    """

    def __init__(
        self, rng: aiga.Stream, generator: nn.Module, steps: int, batch: int, noise: int, classes: int, order: Order | None
    ) -> None:
        super().__init__()
        self.generator = generator
        self._size, self._noise, self._classes, self._order = (steps, batch), noise, classes, order
        self.held = 0 if order is None else steps * batch
        self.latents = None if order is None else nn.Parameter(rng.normal(self.held, noise))

    def draw(self, rng: aiga.Stream) -> Lesson:
        steps, batch = self._size
        if self._order is None:
            labels = rng.child("labels").integers(0, self._classes, steps, batch)
            return Lesson(labels, given=rng.child("noise").normal(steps, batch, self._noise))
        chosen = torch.arange(self.held).reshape(steps, batch)
        if self._order == "batch-shuffled":
            chosen = chosen[rng.permutation(steps)]
        elif self._order == "all-shuffled":
            chosen = rng.permutation(self.held).reshape(steps, batch)
        return Lesson(chosen % self._classes, chosen)

    def show(self, lesson: Lesson, first: int, last: int) -> Tensor:
        labels = lesson.labels[first:last]
        if self.latents is None:
            assert lesson.given is not None
            noise = lesson.given[first:last]
        else:
            assert lesson.chosen is not None
            noise = self.latents[lesson.chosen[first:last]]
        named = functional.one_hot(labels, self._classes).to(noise)
        return self.generator(torch.cat([noise, named], dim=2))  # type: ignore[no-any-return]


class Pixels(nn.Module):
    """Dataset distillation (Wang et al. 2018): the examples themselves are learned, in fixed order.

    Args:
        rng: they are drawn from it at first.
        steps, batch: ``T`` and ``N``.
        shape: of one example.
        classes: labels there are; an example's is its number modulo these.
        reach: largest value of an example; the least is its negative.
    """

    def __init__(self, rng: aiga.Stream, steps: int, batch: int, shape: Sequence[int], classes: int, reach: float) -> None:
        super().__init__()
        self._size, self._classes, self._reach = (steps, batch), classes, reach
        self.held = steps * batch
        self.pixels = nn.Parameter(rng.normal(steps, batch, *shape))

    def draw(self, rng: aiga.Stream) -> Lesson:
        chosen = torch.arange(self.held).reshape(self._size)
        return Lesson(chosen % self._classes, chosen)

    def show(self, lesson: Lesson, first: int, last: int) -> Tensor:
        assert lesson.chosen is not None
        return torch.tanh(self.pixels.flatten(0, 1)[lesson.chosen[first:last]]) * self._reach


class Real(nn.Module):
    """Examples of the domain, fresh ones in every lesson: what a teacher must beat. Nothing but rates is learned.

    Args:
        examples: of the domain.
        steps, batch: ``T`` and ``N``.
    """

    held = 0

    def __init__(self, examples: Examples, steps: int, batch: int) -> None:
        super().__init__()
        self._examples, self._size = examples, (steps, batch)

    def draw(self, rng: aiga.Stream) -> Lesson:
        x, labels = self._examples(rng.rows(torch.arange(self._size[0])), self._size[1])
        return Lesson(labels, given=x)

    def show(self, lesson: Lesson, first: int, last: int) -> Tensor:
        assert lesson.given is not None
        return lesson.given[first:last]


class Subset(nn.Module):
    """A random part of the domain's examples that stays the same, as many as a curriculum holds latents.

    Args:
        rng: they are drawn from it, once.
        examples: of the domain.
        steps, batch: ``T`` and ``N``.
    """

    examples: Tensor
    labels: Tensor

    def __init__(self, rng: aiga.Stream, examples: Examples, steps: int, batch: int) -> None:
        super().__init__()
        x, labels = examples(rng.rows(torch.arange(steps)), batch)
        self.held = steps * batch
        self.register_buffer("examples", x.flatten(0, 1))
        self.register_buffer("labels", labels)

    def draw(self, rng: aiga.Stream) -> Lesson:
        return Lesson(self.labels, torch.arange(self.held).reshape(self.labels.shape))

    def show(self, lesson: Lesson, first: int, last: int) -> Tensor:
        assert lesson.chosen is not None
        return self.examples[lesson.chosen[first:last]]
