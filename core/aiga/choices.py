"""Architectures as a row of choices: whoever makes these, chance or a model of what was good, composes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Choices(Protocol):
    """Makes the choices that the ``space`` of a network asks for; what it asks may hang on the answers before."""

    def pick(self, of: Sequence[T]) -> T:
        """One of several values."""
        ...

    def integer(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        ...

    def width(self, low: int, high: int) -> int:
        """The same, where each doubling counts as much."""
        ...
