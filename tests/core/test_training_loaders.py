"""A loader's batches hang on seed, rank, epoch and place alone; what a module draws hangs on its batch alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from aiga.training.loaders import Repeatable


class Noise(IterableDataset[list[float]]):
    """Five batches from all generators."""

    def __iter__(self) -> Iterator[list[float]]:
        for _ in range(5):
            yield [float(torch.rand(())), random.random(), float(np.random.random())]


def loader(epoch: int = 0, done: int = 0, seed: int = 3, rank: int = 0) -> Repeatable:
    return Repeatable(DataLoader(Noise(), batch_size=None), seed, rank, lambda: (epoch, done))


def test_an_epoch_comes_again_whatever_was_drawn_before_and_in_between() -> None:
    whole = list(loader())
    torch.rand(3)
    again = []
    for batch in loader():
        again.append(batch)
        torch.rand(7)
        random.random()
        np.random.random()
    assert again == whole
    assert len({tuple(batch) for batch in whole}) == 5


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 4}, {"rank": 1}])
def test_another_epoch_seed_or_process_gets_other_batches(other: dict[str, int]) -> None:
    assert not {tuple(batch) for batch in loader(**other)} & {tuple(batch) for batch in loader()}


def test_resumed_it_goes_on_where_it_was() -> None:
    state = loader(done=2).state_dict()
    resumed = loader()
    resumed.load_state_dict(state)
    whole = list(loader())
    assert list(resumed) == whole[2:]
    assert list(resumed) == whole, "the next epoch is whole again"


def test_an_epoch_that_became_shorter_is_told_of() -> None:
    resumed = loader()
    resumed.load_state_dict({"batches": 6})
    with pytest.raises(RuntimeError, match="an epoch has 5 batches now, of which 6 were trained on before"):
        iter(resumed)


def test_what_a_module_draws_hangs_on_its_batch_and_is_nothing_that_the_loader_drew() -> None:
    def drawn(resumed: int = 0, more: int = 0) -> list[float]:
        source, found = loader(), []
        source.load_state_dict({"batches": resumed})
        for _ in source:
            found.append(float(torch.rand(())))
            torch.rand(more)
        return found

    assert drawn(more=9) == drawn()
    assert drawn(resumed=3) == drawn()[3:]
    assert not set(drawn()) & {batch[0] for batch in loader()}


def test_it_is_as_long_as_what_it_stands_before_and_shows_its_parts() -> None:
    data = DataLoader(range(10), batch_size=4)  # type: ignore[arg-type]
    source = Repeatable(data, 3, 0, lambda: (0, 0))
    assert len(source) == 3
    assert source.sampler is data.sampler
    with pytest.raises(TypeError):
        len(loader())


def test_a_sampler_that_shuffles_by_epoch_is_told_of_it() -> None:
    from torch.utils.data.distributed import DistributedSampler

    sampler = DistributedSampler(range(16), num_replicas=2, rank=0)  # type: ignore[arg-type]
    data = DataLoader(range(16), batch_size=None, sampler=sampler)  # type: ignore[arg-type]
    first, second = (list(Repeatable(data, 3, 0, lambda epoch=epoch: (epoch, 0))) for epoch in (0, 1))  # type: ignore[misc]
    assert first != second
    assert list(Repeatable(data, 3, 0, lambda: (0, 0))) == first
