"""Training data that comes again exactly: what a loader gives hangs on seed, epoch and place in it, after a resume too."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from aiga.streams import derive

_WORDS = 2**32  # NumPy takes no seed beyond


def seed_generators(*key: int | str) -> None:
    """Seeds the generators of Python, NumPy and torch, on every device, from ``key`` alone."""
    seed = derive(*key)
    # torch.manual_seed would write down the stack for devices that are not there: half a millisecond a batch.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % _WORDS)


class Repeatable:
    """A loader whose epochs repeat: Lightning's loops iterate over it instead of the trainer's own.

    The generators are seeded for each batch, once before the loader draws it, and once more before it is handed out: what the
    module draws while it trains on it hangs neither on the loader nor on batches before. So no generator's state need be kept,
    and a training resumed in the midst of an epoch draws the batches before again, throws them away, and goes on with the same
    bits.

    Args:
        loader: of training batches; an iterable.
        seed: of the run.
        rank: of this process among those that train.
        place: how many epochs are done, and on how many batches of this one the module was trained.
    """

    def __init__(self, loader: Any, seed: int, rank: int, place: Callable[[], tuple[int, int]]) -> None:
        self._loader, self._seed, self._rank, self._place = loader, seed, rank, place
        self._skip = 0

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._loader, name)

    def state_dict(self) -> dict[str, Any]:
        """Where it is; by it Lightning knows that it can be resumed."""
        return {"batches": self._place()[1]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The next epoch begins where ``state`` was taken."""
        self._skip = state["batches"]

    def __iter__(self) -> Iterator[Any]:
        epoch, skip, self._skip = self._place()[0], self._skip, 0
        seed_generators(self._seed, "epoch", self._rank, epoch)
        for generator in _generators(self._loader):
            generator.manual_seed(derive(self._seed, "generator", self._rank, epoch))
        _set_epoch(self._loader, epoch)
        batches = iter(self._loader)
        for number in range(skip):
            try:
                self._next(batches, epoch, number)
            except StopIteration:
                raise RuntimeError(f"an epoch has {number} batches now, of which {skip} were trained on before") from None
        return self._batches(batches, epoch, skip)

    def _batches(self, batches: Iterator[Any], epoch: int, number: int) -> Iterator[Any]:
        while True:
            try:
                batch = self._next(batches, epoch, number)
            except StopIteration:
                return
            yield batch
            number += 1

    def _next(self, batches: Iterator[Any], epoch: int, number: int) -> Any:
        seed_generators(self._seed, "data", self._rank, epoch, number)
        try:
            return next(batches)
        finally:
            seed_generators(self._seed, "batch", self._rank, epoch, number)


def _parts(loader: Any) -> Iterator[Any]:
    """A ``DataLoader`` and its samplers, as far as there are."""
    inner = getattr(loader, "batch_sampler", None)
    yield from (loader, getattr(loader, "sampler", None), inner, getattr(inner, "sampler", None))


def _generators(loader: Any) -> list[torch.Generator]:
    """The loader's own generators, which would go on from where they are; each once."""
    found = (getattr(part, "generator", None) for part in _parts(loader))
    return list({id(generator): generator for generator in found if isinstance(generator, torch.Generator)}.values())


def _set_epoch(loader: Any, epoch: int) -> None:
    """Tells samplers that shuffle by it. Lightning does so too, but after a loader with workers has begun."""
    for part in _parts(loader):
        if hasattr(part, "set_epoch"):
            part.set_epoch(epoch)
