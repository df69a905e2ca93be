"""Stepping stones: written once, read by id alone, damaged segments named, going back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.data import Batch, Kind, Noise, Population
from aiga.errors import StorageError
from aiga.journal import Journal
from aiga.stones import Stones

COURSE, SMALL, LARGE = Kind("walker", {"version": 1}), Kind("mlp", {"hidden": (4,)}), Kind("mlp", {"hidden": (8,)})


def courses(*ids: int) -> Population:
    """One environment an id, its only leaf telling the id."""
    return Population((rows(COURSE, 1, *ids),))


def rows(kind: Kind, width: int, *ids: int) -> Batch:
    leaves = {"weight": torch.tensor(ids).double()[:, None].expand(-1, width).clone(), "seed": torch.tensor(ids)}
    return Batch(kind, torch.tensor(ids), leaves)


def told(population: Population, where: torch.Tensor) -> list[int]:
    """What the leaves of the asked-for rows say their ids are."""
    leaf = torch.cat([batch.leaves["seed"] for batch in population.batches])
    assert torch.equal(leaf, population.ids)
    return leaf[where].tolist()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


@pytest.fixture
def stones(tmp_path: Path, journal: Journal) -> Stones:
    return Stones(tmp_path / "stones", journal)


def commit(stones: Stones, journal: Journal, iteration: int, *ids: int) -> None:
    stones.stage(iteration, envs=courses(*ids))
    journal.commit(iteration, [], stones=stones.write())


def test_a_stone_comes_back_bit_for_bit(tmp_path: Path, stones: Stones, journal: Journal) -> None:
    leaves = {
        "w": torch.tensor([[1e-300, -0.0, float("nan")]], dtype=torch.float64),
        "b": torch.tensor([True]),
        "k": torch.tensor([2**62 + 1]),
    }
    agents = Population((Batch(SMALL, torch.tensor([3]), leaves),))
    stones.stage(0, agents=agents)
    journal.commit(0, [], stones=stones.write())
    back, where = Stones(tmp_path / "stones", journal).read(torch.tensor([3]))
    assert where.tolist() == [0]
    assert back.batches[0].kind == SMALL
    assert back.hashes.tolist() == agents.hashes.tolist()
    assert {name: leaf.dtype for name, leaf in back.batches[0].leaves.items()} == {n: leaf.dtype for n, leaf in leaves.items()}


def test_rows_of_unlike_kinds_roles_and_iterations_are_found_in_one_reading(stones: Stones, journal: Journal) -> None:
    stones.stage(0, envs=courses(10, 11), agents=Population((rows(SMALL, 4, 12), rows(LARGE, 8, 13, 14))))
    journal.commit(0, [], stones=stones.write())
    stones.stage(1, agents=Population((rows(LARGE, 8, 15), rows(SMALL, 4, 16))))
    journal.commit(1, [], stones=stones.write())
    wanted = [16, 10, 14, 16, 12, 15, 11]
    population, where = stones.read(torch.tensor(wanted))
    assert told(population, where) == wanted
    assert len(population) == 6
    assert sorted(batch.kind.hash for batch in population.batches) == sorted({COURSE.hash, SMALL.hash, LARGE.hash})


def test_stones_are_read_while_staged_and_while_written_but_not_committed(stones: Stones, journal: Journal) -> None:
    commit(stones, journal, 0, 1, 2)
    stones.stage(1, envs=courses(3), agents=rows(SMALL, 4, 4))
    stones.stage(1, agents=rows(SMALL, 4, 5))
    wanted = [5, 1, 4, 3, 2]
    for _ in range(2):
        population, where = stones.read(torch.tensor(wanted))
        assert told(population, where) == wanted
        stones.write()


def test_a_staged_stone_does_not_change_with_the_tensor_it_was_made_of(stones: Stones, journal: Journal) -> None:
    batch = rows(SMALL, 4, 7)
    stones.stage(0, agents=batch)
    batch.leaves["weight"].zero_()
    journal.commit(0, [], stones=stones.write())
    assert stones.read(torch.tensor([7]))[0].batches[0].leaves["weight"].tolist() == [[7.0] * 4]


def test_implicit_agents_are_written_as_what_they_stand_for(stones: Stones, journal: Journal) -> None:
    noise = Noise(5, torch.tensor([0, 0]), torch.tensor([9, 9]), torch.tensor([1.0, -1.0]), torch.tensor([0.1]))
    implicit = Batch(SMALL, torch.tensor([1, 2]), {"w": torch.zeros(1, 3)}, noise)
    stones.stage(0, agents=implicit)
    journal.commit(0, [], stones=stones.write())
    back = stones.read(torch.tensor([1, 2]))[0].batches[0]
    assert back.noise is None
    assert torch.equal(back.leaves["w"], implicit.explicit().leaves["w"])
    assert back.leaves["w"].abs().sum() > 0


def test_an_iteration_without_stones_writes_no_file(tmp_path: Path, stones: Stones) -> None:
    assert stones.write() is None
    stones.stage(0, envs=Population())
    assert stones.write() is None
    assert not (tmp_path / "stones").exists()


def test_reading_nothing_gives_nothing(stones: Stones) -> None:
    population, where = stones.read(torch.empty(0, dtype=torch.int64))
    assert len(population) == len(where) == 0


def test_unknown_ids_are_named(stones: Stones, journal: Journal) -> None:
    commit(stones, journal, 0, 1)
    with pytest.raises(KeyError, match="-1, 99"):
        stones.read(torch.tensor([1, 99, -1]))


def test_stones_without_or_with_a_repeated_id_are_refused(stones: Stones) -> None:
    with pytest.raises(ValueError, match="needs an id"):
        stones.stage(0, envs=courses(-1))
    stones.stage(0, envs=courses(1))
    with pytest.raises(ValueError, match="already"):
        stones.stage(0, agents=rows(SMALL, 4, 1))


def test_stones_of_a_forgotten_iteration_cannot_slip_into_the_next(stones: Stones, journal: Journal) -> None:
    stones.stage(0, envs=courses(1))
    with pytest.raises(ValueError, match="iteration 0"):
        stones.stage(1, envs=courses(2))
    stones.discard()
    commit(stones, journal, 1, 2)
    with pytest.raises(KeyError):
        stones.read(torch.tensor([1]))


def test_an_iteration_abandoned_after_writing_can_be_done_again(stones: Stones, journal: Journal) -> None:
    stones.stage(0, envs=courses(1, 2))
    stones.write()
    stones.discard()
    commit(stones, journal, 0, 1, 3)
    population, where = stones.read(torch.tensor([3, 1]))
    assert told(population, where) == [3, 1]
    with pytest.raises(KeyError):
        stones.read(torch.tensor([2]))


def test_equal_stones_make_equal_files(tmp_path: Path) -> None:
    digests = []
    for name in ("a", "b"):
        with Journal(tmp_path / f"{name}.db") as journal:
            stones = Stones(tmp_path / name, journal)
            stones.stage(0, envs=courses(1, 2), agents=Population((rows(SMALL, 4, 3), rows(LARGE, 8, 4))))
            segment = stones.write()
            assert segment is not None
            digests.append(segment.sha256)
    assert digests[0] == digests[1]


def test_going_back_removes_what_lies_past_and_half_written_files(tmp_path: Path, stones: Stones, journal: Journal) -> None:
    for iteration in range(4):
        commit(stones, journal, iteration, iteration)
    folder = tmp_path / "stones"
    (folder / ".000009.safetensors.partial").write_bytes(b"torn")
    stones.stage(4, envs=courses(4))
    journal.truncate(1)
    stones.truncate(1)
    assert sorted(path.name for path in folder.iterdir()) == ["000000.safetensors", "000001.safetensors"]
    for gone in (2, 3, 4):
        with pytest.raises(KeyError):
            stones.read(torch.tensor([gone]))
    commit(stones, journal, 2, 2)
    assert told(*stones.read(torch.tensor([2, 0]))) == [2, 0]


@settings(derandomize=True, max_examples=15, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_found_and_the_file_named(at: float, bit: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal.db") as journal:
        stones = Stones(Path(folder) / "stones", journal)
        for iteration in range(2):
            commit(stones, journal, iteration, iteration)
        commit(stones, journal, 2, 2)
        path = Path(folder) / "stones" / "000001.safetensors"
        content = bytearray(path.read_bytes())
        content[int(at * len(content))] ^= 1 << bit
        path.write_bytes(content)
        with pytest.raises(StorageError, match=r"000001\.safetensors: damaged"):
            stones.read(torch.tensor([1]))
        assert told(*stones.read(torch.tensor([2, 0]))) == [2, 0]


def test_a_truncated_or_missing_segment_is_named(tmp_path: Path, stones: Stones, journal: Journal) -> None:
    commit(stones, journal, 0, 1)
    commit(stones, journal, 1, 2)
    path = tmp_path / "stones" / "000000.safetensors"
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(StorageError, match=r"000000\.safetensors: damaged"):
            stones.read(torch.tensor([1]))
    path.unlink()
    with pytest.raises(StorageError, match=r"000000\.safetensors: the file is missing"):
        stones.read(torch.tensor([1, 2]))


def test_a_moved_run_reads_its_stones(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    with Journal(tmp_path / "here" / "journal.db") as journal:
        commit(Stones(tmp_path / "here" / "stones", journal), journal, 0, 1)
    (tmp_path / "here").rename(tmp_path / "there")
    with Journal(tmp_path / "there" / "journal.db", readonly=True) as journal:
        assert told(*Stones(tmp_path / "there" / "stones", journal).read(torch.tensor([1]))) == [1]


def test_memory_does_not_grow_with_the_number_of_stones(tmp_path: Path, stones: Stones, journal: Journal) -> None:
    import tracemalloc

    commit(stones, journal, 0, *range(100))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for iteration in range(1, 40):
        commit(stones, journal, iteration, *range(iteration * 500, iteration * 500 + 500))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 500_000
    assert told(*stones.read(torch.tensor([19_999, 50]))) == [19_999, 50]
