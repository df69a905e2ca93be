"""Rows of unlike kinds through taking, joining and compacting: what a pair names stays what it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga.data import Batch, Kind, Noise, Offers, Pairs, Population, flatten, unflatten

ROWS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 3)), min_size=1, max_size=4)


def population(shape: list[tuple[int, bool, int]], start: int) -> Population:
    """Batches of these (kind, implicit, rows), no two rows alike."""
    batches = []
    for number, (kind, implicit, count) in enumerate(shape):
        leaves = {
            "w": torch.arange(count * (kind + 1)).reshape(count, -1).float() + 100 * (start + number),
            "n": torch.arange(count),
        }
        batch = Batch.of(Kind(f"net{kind}"), leaves)
        if implicit:
            noise = Noise(start, torch.arange(count), torch.arange(count) + number, torch.ones(count), torch.ones(count))
            batch = Batch(batch.kind, batch.ids, leaves, noise)
        batches.append(batch)
    whole = Population(tuple(batches))
    return whole.with_ids(torch.arange(len(whole)) + 1000 * start)


@given(ROWS, st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_taken_rows_are_where_take_says(shape: Any, data: Any) -> None:
    whole = population(shape, 1)
    rows = torch.tensor(data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=8)), dtype=torch.int64)
    some, where = whole.take(rows)
    assert torch.equal(some.ids[where], whole.ids[rows])
    assert torch.equal(some.hashes[where], whole.hashes[rows])
    assert torch.equal(whole.in_order(rows).hashes, whole.hashes[rows])


@given(ROWS, ROWS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_joined_rows_are_where_join_says_and_explicit_kinds_are_merged(one: Any, other: Any) -> None:
    a, b = population(one, 1), population(other, 50)
    joined, (first, second) = Population.join(a, b)
    assert torch.equal(joined.hashes[first], a.hashes)
    assert torch.equal(joined.ids[second], b.ids)
    explicit = [batch.kind for batch in joined.batches if batch.noise is None]
    assert len(explicit) == len(set(explicit))
    merged, where = joined.merged()
    assert len({batch.kind for batch in merged.batches}) == len(merged.batches)
    assert torch.equal(merged.ids[where], joined.ids)


@given(ROWS, ROWS, st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_pairs_mean_the_same_after_taking_joining_and_compacting(envs: Any, agents: Any, data: Any) -> None:
    pairs = Pairs.cross(population(envs, 1), population(agents, 2))
    rows = torch.tensor(data.draw(st.lists(st.integers(0, len(pairs) - 1), min_size=1, max_size=6)), dtype=torch.int64)
    some = pairs.take(rows).compact()
    assert len(some.envs) == len(pairs.env[rows].unique())
    joined = Pairs.join(some, pairs)
    assert meaning(joined) == [meaning(pairs)[row] for row in rows.tolist()] + meaning(pairs)


def meaning(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.envs.hashes[pairs.env].tolist(), pairs.agents.hashes[pairs.agent].tolist(), strict=True))


def test_a_full_matrix_copies_no_parameters() -> None:
    envs, agents = population([(0, False, 3)], 1), population([(1, False, 4)], 2)
    pairs = Pairs.cross(envs, agents)
    assert len(pairs) == 12
    assert pairs.agents is agents
    assert pairs.agent.tolist() == [0, 1, 2, 3] * 3


def test_every_agent_lives_as_often_dealt_out_over_the_environments() -> None:
    pairs = Pairs.lives(population([(0, False, 2)], 1), population([(0, False, 2), (1, False, 1)], 2), 3)
    assert pairs.agent.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert pairs.env.tolist() == [0, 1, 0] * 3


def test_a_hash_is_of_what_a_row_holds_never_of_its_id_or_place() -> None:
    whole = population([(0, False, 3), (1, False, 2)], 1)
    assert torch.equal(whole.with_ids(torch.arange(5) + 77).hashes, whole.hashes)
    assert torch.equal(whole.batches[0].take(torch.tensor([2, 0])).hashes, whole.hashes[[2, 0]])
    assert len(whole.hashes.unique()) == 5
    renamed = Batch(Kind("other"), whole.batches[0].ids, whole.batches[0].leaves)
    assert not bool(torch.isin(renamed.hashes, whole.hashes).any())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.bool, torch.uint8])
def test_one_changed_number_changes_a_hash(dtype: torch.dtype) -> None:
    leaf = torch.zeros(2, 3, dtype=dtype)
    leaf[1, 2] = 1
    hashes = Batch.of(Kind("a"), {"x": leaf}).hashes
    assert hashes[0] != hashes[1]


def test_an_antithetic_pair_lies_on_both_sides_of_its_base() -> None:
    base = {"w": torch.randn(1, 4)}
    noise = Noise(
        9, torch.zeros(3, dtype=torch.int64), torch.tensor([5, 5, 5]), torch.tensor([1.0, -1.0, 0.0]), torch.tensor([0.5])
    )
    rows = Batch(Kind("a"), torch.full((3,), -1), base, noise).explicit().leaves["w"]
    assert torch.allclose(rows[0] + rows[1], 2 * base["w"][0], atol=1e-6)
    assert torch.equal(rows[2], base["w"][0])
    assert not torch.equal(rows[0], rows[1])


def test_flattened_leaves_come_back_and_whole_numbers_are_kept() -> None:
    leaves = {"b": torch.randn(2, 3), "a": torch.randn(2, 2, 2, dtype=torch.float64), "n": torch.arange(2)}
    back = unflatten(flatten(leaves), leaves)
    assert all(torch.allclose(back[name].double(), leaves[name].double()) for name in leaves)
    assert back["a"].dtype == torch.float64
    assert back["n"] is leaves["n"]


def test_joined_offers_keep_their_targets() -> None:
    one = Offers(population([(0, False, 2)], 1), torch.tensor([1]), torch.tensor([7]), ("a",), torch.tensor([1.0]))
    other = Offers(population([(0, False, 1)], 2), torch.tensor([0]), torch.tensor([8]), ("b",), torch.tensor([2.0]))
    joined = Offers.join(one, other)
    assert joined.agents.ids[joined.agent].tolist() == [1001, 2000]
    assert joined.niche.tolist() == [7, 8]
    assert joined.operator == ("a", "b")
    assert len(Offers.join()) == 0
