"""What was made of tensors last: a life of many steps need not normalise the same weights in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from weakref import ref

from torch import Tensor

T = TypeVar("T")


class Kept(Generic[T]):
    """The last thing made of tensors, made anew once they are others or were changed in place."""

    def __init__(self) -> None:
        self._of: list[tuple[ref[Tensor], int]] = []
        self._made: T | None = None

    def get(self, tensors: Sequence[Tensor], make: Callable[[], T]) -> T:
        """What ``make()`` makes of ``tensors``."""
        if any(tensor.is_inference() for tensor in tensors):  # these do not tell whether they were changed
            return make()
        same = len(tensors) == len(self._of) and all(
            held() is tensor and version == tensor._version for (held, version), tensor in zip(self._of, tensors, strict=True)
        )
        if not same or self._made is None:
            self._made = make()
            self._of = [(ref(tensor), tensor._version) for tensor in tensors]
        return self._made
