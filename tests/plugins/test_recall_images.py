"""Recall of images: where they come from, how they are shown, and what is said of folders that do not hold them."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import aiga
from aiga import Stream
from aiga_recall.domain import RecallDomain
from aiga_recall.episodes import Binary, Episodes, episodes
from aiga_recall.images import Images, scaled

BATCHES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def records(count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    made = np.random.default_rng(seed).integers(0, 256, (count, 3073), dtype=np.uint8)
    made[:, 0] %= 10
    return made


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """A folder as CIFAR-10's, of 6 images a file."""
    for seed, name in enumerate(BATCHES):
        records(6, seed).tofile(tmp_path / name)
    return tmp_path


def shown(domain: RecallDomain, name: str = "three", count: int = 60) -> Episodes:
    return episodes(Stream(1).rows(torch.arange(count)), domain.named(name, count).leaves, domain.source)


def known(rows: Tensor, images: Tensor) -> Tensor:
    """Whether each row is one of these images, scaled."""
    return (torch.cdist(rows.double(), scaled(images).double()) < 1e-6).any(dim=1)


def test_cifars_files_are_read_as_the_sum_of_their_colours(cifar: Path) -> None:
    source = Images("cifar-10", cifar)
    images, learnt = source.grey
    assert images.shape == (36, 1024)
    assert learnt == 30
    third = records(6, 1)[2, 1:].reshape(3, 1024).astype(int).sum(axis=0)
    assert torch.equal(images[6 + 2].long(), torch.from_numpy(third))
    assert torch.equal(images[30:].long()[0], torch.from_numpy(records(6, 5)[0, 1:].reshape(3, 1024).astype(int).sum(axis=0)))


def test_images_lose_their_mean_and_reach_one() -> None:
    grey = torch.tensor([[0, 1, 2, 9], [5, 5, 5, 5]], dtype=torch.int16)
    assert torch.allclose(scaled(grey), torch.tensor([[-3.0, -2.0, -1.0, 6.0], [0.0, 0.0, 0.0, 0.0]]) / 6)


def test_an_episode_shows_different_images_of_its_own_half_and_hides_the_upper_or_lower_part(cifar: Path) -> None:
    domain = RecallDomain(Images("cifar-10", cifar))
    images, learnt = Images("cifar-10", cifar).grey
    for name, mine, others in (("three", images[:learnt], images[learnt:]), ("held-out", images[learnt:], images[:learnt])):
        seen = shown(domain, name)
        patterns = seen.observations[0:66:22]
        assert bool(known(patterns.flatten(0, 1), mine).all())
        assert not bool(known(patterns.flatten(0, 1), others).any())
        assert all(bool((patterns[a] != patterns[b]).any(dim=1).all()) for a, b in ((0, 1), (0, 2), (1, 2)))
        rows = seen.blanked.reshape(60, 32, 32)
        assert bool((rows == rows[:, :, :1]).all())
        assert bool((rows[:, 0, 0] != rows[:, -1, 0]).all())
        assert bool((rows.sum(dim=(1, 2)) == 512).all())
        assert 15 < int(rows[:, 0, 0].sum()) < 45


def test_every_image_is_shown_sooner_or_later(cifar: Path) -> None:
    source = Images("cifar-10", cifar)
    seen = shown(RecallDomain(source), "held-out", 300)
    held_out = scaled(source.grey.images[source.grey.learnt :])
    apart = torch.cdist(held_out.double(), seen.observations[0].double())
    assert bool((apart < 1e-6).any(dim=1).all())


def test_the_fitness_of_an_answer_of_nothing_is_zero(cifar: Path) -> None:
    from aiga import Batch, Kind, Pairs, Population
    from aiga.testing import LinearNetwork

    domain = RecallDomain(Images("cifar-10", cifar))
    agents = Batch.of(Kind("linear"), {"weight": torch.zeros(1, 1024, 1024)})
    rows = torch.zeros(2, dtype=torch.int64)
    made = Pairs.of(Population((domain.named("three"),)), Population((agents,)), rows, rows)
    scores = domain.live(made, LinearNetwork(), torch.arange(2))
    assert not isinstance(scores, tuple)
    assert torch.allclose(scores.fitness, torch.zeros(2).double())


def test_environments_of_other_images_are_of_another_kind(cifar: Path) -> None:
    kind = RecallDomain(Images("cifar-10", cifar)).initial(Stream(0), 1).kind
    assert kind == RecallDomain(Images("cifar-10", cifar)).initial(Stream(5), 1).kind
    records(6, 99).tofile(cifar / BATCHES[3])
    assert kind != RecallDomain(Images("cifar-10", cifar)).initial(Stream(0), 1).kind


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(aiga.InputError, match=r"'/nowhere/at/all' is no folder\. Name the one that has data_batch_1\.bin"):
        _ = Images("cifar-10", Path("/nowhere/at/all")).grey


def test_a_folder_without_the_files_is_said_with_what_it_has(cifar: Path) -> None:
    for name in BATCHES[:2]:
        (cifar / name).rename(cifar / name.removesuffix(".bin"))
    with pytest.raises(aiga.InputError, match=r"lacks data_batch_1\.bin, data_batch_2\.bin; it has data_batch_1, data_b"):
        _ = Images("cifar-10", cifar).grey


@pytest.mark.parametrize("size", [0, 3072, 3073 * 3 + 1])
def test_a_file_that_is_cut_off_is_said(cifar: Path, size: int) -> None:
    file = cifar / "data_batch_4.bin"
    file.write_bytes(records(6).tobytes()[:size])
    with pytest.raises(aiga.InputError, match=rf"data_batch_4\.bin has {size:,} bytes.*cut off"):
        _ = Images("cifar-10", cifar).grey


def test_a_file_of_something_else_is_said(cifar: Path) -> None:
    other = records(6)
    other[4, 0] = 77
    other.tofile(cifar / "test_batch.bin")
    with pytest.raises(aiga.InputError, match=r"test_batch\.bin gives image 4 the class 77"):
        _ = Images("cifar-10", cifar).grey


def test_before_a_run_it_says_what_there_is_or_what_is_wrong(cifar: Path) -> None:
    said: list[str] = []
    RecallDomain(Images("cifar-10", cifar)).prepare(said.append)
    assert said == ["recall: 30 images to learn from, 6 kept for testing"]
    with pytest.raises(aiga.InputError, match="no folder"):
        RecallDomain(Images("cifar-10", cifar / "no")).prepare(said.append)


def test_other_images_are_another_path(cifar: Path) -> None:
    network: Any = None  # the images alone are told
    before = RecallDomain(Images("cifar-10", cifar)).path(network)
    assert before == RecallDomain(Images("cifar-10", cifar)).path(network)
    records(6, seed=99).tofile(cifar / "test_batch.bin")
    assert before != RecallDomain(Images("cifar-10", cifar)).path(network)
    assert RecallDomain(Binary(8)).path(network) == "with random patterns"


def test_fewer_images_than_an_episode_may_show_are_refused_before_a_run_or_a_training(cifar: Path) -> None:
    records(2).tofile(cifar / "test_batch.bin")
    with pytest.raises(aiga.InputError, match=r"2 images kept for testing in '.*an episode may show 3 different ones"):
        RecallDomain(Images("cifar-10", cifar)).check()
    tables: dict[str, Any] = {
        "api": 1,
        "population": {"domain": "recall", "networks": ["rnn"]},
        "plugins": {
            "recall": {"options": {"source": "cifar-10", "folder": str(cifar)}},
            "rnn": {"options": {"wiring": "clamped", "units": 1100}},
        },
    }
    with pytest.raises(aiga.InputError, match="2 images kept for testing"):
        aiga.run({**tables, "run": {"stop": {"iterations": 1}}}, runs=cifar)
    with pytest.raises(aiga.InputError, match="2 images kept for testing"):
        aiga.train({**tables, "train": {"trainer": "meta-gradient"}}, runs=cifar)


def test_as_many_images_as_mutation_may_show_are_wanted(cifar: Path) -> None:
    for name in BATCHES[:5]:
        records(3).tofile(cifar / name)
    RecallDomain(Images("cifar-10", cifar), categories=["gap"]).check()
    with pytest.raises(aiga.InputError, match=r"15 images to learn from in .* may show 16"):
        RecallDomain(Images("cifar-10", cifar)).check()


def test_without_scikit_learn_its_images_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *given: Any, **named: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *given, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(aiga.InputError, match=r"Install aiga\[images\]"):
        _ = Images("digits").grey


@pytest.mark.parametrize(("collection", "count", "learnt"), [("digits", 1797, 1437), ("photographs", 520, 260)])
def test_scikit_learns_images_are_there(collection: Any, count: int, learnt: int) -> None:
    pytest.importorskip("sklearn")
    source = Images(collection)
    images, first = source.grey
    assert (len(images), first, images.shape[1]) == (count, learnt, source.width)
    assert images.dtype == torch.int16
    assert int(images.max()) == (16 if collection == "digits" else 765)
    assert len(images.unique(dim=0)) > 0.95 * count
