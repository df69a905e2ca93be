"""What spaces of architectures share: chance for each structure by its own key, and a distance between descriptions.

A network whose architectures a search may vary has such a space, with the parts that are its own; see :class:`aiga.Network`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import torch
from torch import Tensor

from aiga.choices import Choices
from aiga.components import Structure
from aiga.errors import InputError
from aiga.streams import Stream

T = TypeVar("T")
Genome = dict[str, Any]  # a structure that may be changed: JSON

_DRAWS: Final = 96  # numbers for one structure: more than any change takes


class Dice:
    """Chance for one structure: :class:`aiga.choices.Choices` that are random."""

    def __init__(self, numbers: Sequence[float]) -> None:
        self._numbers: Iterator[float] = iter(numbers)

    def pick(self, of: Sequence[T]) -> T:
        """One of several, each as likely."""
        return of[int(next(self._numbers) * len(of))]

    def integer(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return self.pick(range(low, high + 1))

    def width(self, low: int, high: int) -> int:
        """The same, each doubling as likely."""
        return min(high, max(low, round(low * math.exp(math.log(high / low) * next(self._numbers)))))

    def other_width(self, width: int, low: int, high: int) -> int:
        """Another one, at most twice or half as much or one more or less; the same where the bounds allow no other."""
        new = min(high, max(low, round(width * math.exp2(2.0 * next(self._numbers) - 1.0))))
        return next((each for each in (new, new + 1, new - 1) if each != width and low <= each <= high), width)


class ArchitectureSpace(ABC):
    """Structures that a search may reach: the capability ``space`` of a network; see :class:`aiga.Network`.

    A structure's chance hangs on its row key alone, or where there is none on its number.

    Args:
        name: of the network, for messages.
        structure: what is not searched is as in this one.
        search: the parts that are searched.
    """

    def __init__(self, name: str, structure: Structure, search: Sequence[str]) -> None:
        self._name, self._base, self._search = name, dict(structure), frozenset(search)

    def initial(self, rng: Stream, count: int) -> list[Structure]:
        """``count`` random structures."""
        return [self.compose(dice) for dice in _dice(rng.child("initial"), count)]

    def compose(self, choices: Choices) -> Structure:
        """The structure that these choices make; what is asked next may hang on what was answered before."""
        return self._drawn(choices)

    def mutate(self, rng: Stream, structures: Sequence[Structure]) -> list[Structure]:
        """A child of each, changed in one way that makes it another.

        Raises:
            InputError: where the bounds leave nothing to change.
        """
        pairs = zip(structures, _dice(rng.child("mutate"), len(structures)), strict=True)
        return [self._mutated(dict(structure), dice) for structure, dice in pairs]

    def cross(self, rng: Stream, a: Sequence[Structure], b: Sequence[Structure]) -> list[Structure]:
        """A child of each pair: every part is one or the other parent's."""
        trios = zip(a, b, _dice(rng.child("cross"), len(a)), strict=True)
        return [self._crossed(dict(one), dict(other), dice) for one, other, dice in trios]

    def describe(self, structures: Sequence[Structure]) -> Tensor:
        """``[B, d]`` float64: a doubling of a width, one more of what is counted and another choice are each one apart.

        Raises:
            ValueError: for a structure that is larger than any description.
        """
        rows = [self._described(structure) for structure in structures]
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), -1)

    def distance(self, a: Sequence[Structure], b: Sequence[Structure]) -> Tensor:
        """``[A, B]`` float64: Euclidean, between descriptions."""
        return torch.cdist(self.describe(a), self.describe(b), compute_mode="donot_use_mm_for_euclid_dist")

    def _mutated(self, structure: Genome, dice: Dice) -> Genome:
        changed = [self._whole({**structure, **change}) for change in self._changes(structure, dice)]
        others = [each for each in changed if each != self._whole(structure)]
        if not others:
            raise InputError(
                f"[plugins.{self._name}.options]: nothing of {structure} can be changed within the bounds. Widen them, or name "
                f"more in search, which is {sorted(self._search)}."
            )
        return dice.pick(others)

    def _whole(self, structure: Genome) -> Genome:
        """The same structure, written in the one way there is to write it."""
        return structure

    @abstractmethod
    def _drawn(self, dice: Choices) -> Genome:
        """A structure of free choices."""

    @abstractmethod
    def _changes(self, structure: Genome, dice: Dice) -> list[Genome]:
        """What a child may have otherwise, one change each; some may change nothing."""

    @abstractmethod
    def _crossed(self, one: Genome, other: Genome, dice: Dice) -> Genome:
        """A child of two."""

    @abstractmethod
    def _described(self, structure: Structure) -> list[float]:
        """A description."""


def choice(value: object, of: Sequence[object]) -> list[float]:
    """A choice as numbers, any two of which are 1 apart."""
    return [math.sqrt(0.5) * (each == value) for each in of]


def mixed(one: Genome, other: Genome, keys: Sequence[str], dice: Dice) -> Genome:
    """Each of these parts from one or the other."""
    return {key: dice.pick((one, other))[key] for key in keys}


def _dice(rng: Stream, count: int) -> list[Dice]:
    return [Dice(numbers) for numbers in rng.each(count).uniform(_DRAWS).tolist()]
