"""Cutting a call into blocks, and putting the answers together."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aiga.data import Batch, Kind, Noise, Pairs, Population, Scores, Status
from aiga_local.blocks import Span, Work, failed
from aiga_local.gather import gather


def population(*counts: int) -> Population:
    return Population(tuple(Batch.of(Kind(f"kind{n}"), {"x": torch.rand(count, 2)}) for n, count in enumerate(counts)))


def work_of(pairs: int, episodes: int) -> Work:
    rows = torch.arange(pairs)
    return Work.of("toy", Pairs.of(population(pairs), population(pairs), rows, rows), torch.zeros(pairs, episodes).long())


def score(work: Work, rows: int, fitness: Tensor, **columns: Tensor) -> list[tuple[Span, Scores]]:
    """The blocks that a domain would answer, of columns by lane."""
    blocks = []
    for start, stop in work.spans(rows):
        lanes = work.lanes[start:stop]
        picked = {name: column[lanes] for name, column in columns.items()}
        blocks.append(((start, stop), Scores.of(fitness[lanes], {"steps": len(lanes)}, **picked)))
    return blocks


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.integers(0, 9), st.integers(1, 3), st.integers(1, 7), st.integers(0, 2**16))
def test_blocks_cover_every_lane_once_and_never_mix_kinds(pairs: int, episodes: int, rows: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    envs, agents = population(3, 2), population(1, 4, 2)
    env, agent = torch.randint(5, (pairs,), generator=draw), torch.randint(7, (pairs,), generator=draw)
    seeds = torch.arange(pairs * episodes).reshape(pairs, episodes)
    work = Work.of("toy", Pairs.of(envs, agents, env, agent), seeds)
    spans = work.spans(rows)
    assert sorted(work.lanes.tolist()) == list(range(pairs * episodes))
    assert [place for start, stop in spans for place in range(start, stop)] == list(range(pairs * episodes))
    lived = {}
    for span in spans:
        block, its_seeds = work.block(span)
        assert span[1] - span[0] <= rows
        assert len(block.envs.batches) == len(block.agents.batches) == 1
        for row, number in enumerate(its_seeds.tolist()):
            where = block.envs.batches[0].leaves["x"][block.env[row]]
            who = block.agents.batches[0].leaves["x"][block.agent[row]]
            lived[number] = (where.tolist(), who.tolist())
    every_env, every_agent = (torch.cat([b.leaves["x"] for b in p.batches]) for p in (envs, agents))
    for lane in range(pairs * episodes):
        pair = lane // episodes
        assert lived[lane] == (every_env[env[pair]].tolist(), every_agent[agent[pair]].tolist())


def test_work_survives_the_way_to_another_process_with_implicit_agents_and_without_unused_rows() -> None:
    noise = Noise(7, torch.tensor([0, 1, 1]), torch.tensor([1, 2, 2]), torch.tensor([1.0, 1.0, -1.0]), torch.full((2,), 0.5))
    agents = Population((Batch(Kind("net"), torch.full((3,), -1), {"w": torch.rand(2, 4)}, noise),))
    pairs = Pairs.of(population(5), agents, torch.tensor([4, 4]), torch.tensor([2, 0]))
    work = Work.of("toy", pairs, torch.tensor([[1, 2], [3, 4]]))
    there = Work.load(work.dump())
    assert len(there.pairs.envs) == 1
    assert there.spans(3) == work.spans(3)
    for span in work.spans(3):
        here_block, here_seeds = work.block(span)
        block, seeds = there.block(span)
        assert torch.equal(seeds, here_seeds)
        explicit, expected = (b.agents.batches[0].explicit().leaves["w"][b.agent] for b in (block, here_block))
        assert torch.equal(explicit, expected)


@pytest.mark.parametrize("shape", [(3, 1), (2, 0), (2,)])
def test_seeds_of_another_shape_than_pairs_by_episodes_are_refused(shape: tuple[int, ...]) -> None:
    pairs = Pairs.of(population(2), population(2), torch.arange(2), torch.arange(2))
    with pytest.raises(ValueError, match=r"seeds must be \[2, E\]"):
        Work.of("toy", pairs, torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("rows", [1, 2, 4, 100])
def test_columns_are_means_over_the_episodes_and_costs_are_summed(rows: int) -> None:
    work = work_of(3, 2)
    fitness = torch.tensor([1.0, 2.0, 10.0, 20.0, -5.0, 5.0])
    size, length = torch.arange(12.0).reshape(6, 2), torch.tensor([1, 2, 3, 4, 5, 6])
    scores = gather(work, score(work, rows, fitness, size=size, length=length)[::-1])
    assert scores.fitness.tolist() == [1.5, 15.0, 0.0]
    assert scores.columns["returns"].tolist() == [[1.0, 2.0], [10.0, 20.0], [-5.0, 5.0]]
    assert scores.columns["size"].tolist() == [[1.0, 2.0], [5.0, 6.0], [9.0, 10.0]]
    assert scores.columns["size"].dtype == torch.float32
    assert scores.columns["length"].tolist() == [1.5, 3.5, 5.5]
    assert scores.cost == {"steps": 6}
    assert scores.status.tolist() == [0, 0, 0]
    assert scores.reasons == {}


def test_a_pair_takes_the_worst_status_of_its_episodes_with_that_ones_reason_and_no_number() -> None:
    work = work_of(3, 2)
    (first, one), (second, two) = score(work, 3, torch.arange(6.0), size=torch.ones(6))
    one.status[1] = int(Status.ERROR)
    blocks = [(first, Scores(one.columns, one.status, {1: "fell through the floor"}, one.cost)), (second, two)]
    blocks[1] = (second, failed(3, Status.TIMEOUT, "slept"))
    scores = gather(work, blocks)
    assert scores.status.tolist() == [int(Status.ERROR), int(Status.TIMEOUT), int(Status.TIMEOUT)]
    assert scores.reasons == {0: "fell through the floor", 1: "slept", 2: "slept"}
    assert scores.fitness.isnan().all()
    assert scores.columns["size"].isnan().all()
    assert scores.columns["returns"][0, 0] == 0.0
    assert scores.columns["returns"].isnan().sum() == 4
    assert scores.cost == {"steps": 3}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_fitness_that_is_no_number_becomes_a_status_that_says_in_which_episode(value: float) -> None:
    work = work_of(2, 3)
    scores = gather(work, score(work, 2, torch.tensor([1.0, value, 1.0, 1.0, 1.0, 1.0])))
    assert scores.status.tolist() == [int(Status.NAN), int(Status.OK)]
    assert scores.reasons == {0: f"toy: fitness {value} in episode 1"}
    assert scores.fitness.isnan().tolist() == [True, False]


def test_columns_that_one_block_lacks_are_nan_there_and_ones_that_disagree_are_refused() -> None:
    work = work_of(2, 1)
    spans = work.spans(1)
    here, there = Scores.of(torch.zeros(1), None, size=torch.ones(1)), Scores.of(torch.zeros(1))
    scores = gather(work, [(spans[0], here), (spans[1], there)])
    assert scores.columns["size"].isnan().tolist() == [False, True]
    wide = Scores.of(torch.zeros(1), None, size=torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"column 'size' have shapes \[2\] and \[\]"):
        gather(work, [(spans[0], here), (spans[1], wide)])


def test_no_pair_at_all_gives_scores_of_no_row() -> None:
    empty = torch.empty(0, dtype=torch.int64)
    work = Work.of("toy", Pairs.of(Population(), Population(), empty, empty), torch.empty(0, 2, dtype=torch.int64))
    scores = gather(work, [])
    assert len(scores) == 0
    assert scores.fitness.dtype == torch.float64
    assert scores.columns["returns"].shape == (0, 2)
