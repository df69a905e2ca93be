from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga import Batch, Stream
from aiga_walker import genome

ALL: tuple[genome.Category, ...] = ("roughness", "pit", "stump", "stair")
examples = settings(derandomize=True, max_examples=15, deadline=None)


def child(parents: Batch, key: int, categories: tuple[genome.Category, ...] = ALL, max_gap: float = 10.0) -> Batch:
    return genome.mutate(Stream(key).rows(torch.arange(len(parents))), parents, categories, max_gap)


def course(count: int, **values: object) -> Batch:
    return genome.courses(torch.arange(count), **values)  # type: ignore[arg-type]


def test_a_run_starts_flat_with_a_terrain_seed_for_each_course() -> None:
    batch = genome.initial(Stream(1), 50)
    assert genome.describe(batch).abs().sum() == 0
    assert len(batch.leaves["seed"].unique()) == 50
    assert batch.leaves["seed"].dtype == torch.int64
    assert batch.kind.structure == {"version": 1}


def test_one_more_course_at_the_start_changes_none_of_the_others() -> None:
    assert genome.initial(Stream(1), 9).leaves["seed"].tolist() == genome.initial(Stream(1), 10).leaves["seed"].tolist()[:9]


def test_the_first_mutation_brings_the_first_values_of_the_table() -> None:
    leaves = child(genome.initial(Stream(1), 8), 2).leaves
    assert leaves["gap"].tolist() == [[0.0, 0.8]] * 8
    assert leaves["stump"].tolist() == [[0.0, 0.4]] * 8
    assert leaves["stair"].tolist() == [[0.0, 0.4]] * 8
    assert leaves["stair_steps"].tolist() == [1] * 8


@examples
@given(st.integers(0, 2**40), st.sampled_from([8.0, 10.0]))
def test_mutation_stays_in_bounds_and_on_tenths(key: int, max_gap: float) -> None:
    batch = genome.initial(Stream(key), 40)
    for generation in range(30):
        batch = child(batch, key + generation, max_gap=max_gap)
        leaves = batch.leaves
        assert ((leaves["roughness"] >= 0) & (leaves["roughness"] <= 10)).all()
        for name, least, most in (("gap", 0.8, max_gap), ("stump", 0.4, 5.0), ("stair", 0.4, 5.0)):
            low, high = leaves[name].unbind(dim=1)
            assert ((low >= 0) & (low <= high) & (high >= least) & (high <= most)).all()
        assert ((leaves["stair_steps"] >= 1) & (leaves["stair_steps"] <= 9)).all()
        numbers = genome.describe(batch).flatten().tolist()
        assert all(number == float(f"{number:.1f}") for number in numbers)
        assert not any(str(number) == "-0.0" for number in numbers)


def test_every_bound_is_reached() -> None:
    batch = course(60, roughness=9.5, gap=(9.2, 9.6), stump=(4.6, 4.8), stair=(4.6, 4.8), stair_steps=8)
    most = torch.zeros(8, dtype=torch.float64)
    for generation in range(40):
        batch = child(batch, generation)
        most = torch.maximum(most, genome.describe(batch).amax(dim=0))
    assert most.tolist() == [10.0, 10.0, 10.0, 5.0, 5.0, 5.0, 5.0, 9.0]


def test_all_eight_moves_are_drawn_about_equally_often() -> None:
    moves = child(course(8000, gap=(4.0, 6.0)), 3).leaves["gap"] - torch.tensor([4.0, 6.0])
    found, counts = genome.tenths(moves).unique(dim=0, return_counts=True)
    assert {tuple(move) for move in found.tolist()} == {(0.4 * low, 0.4 * high) for low, high in genome.MOVES}
    assert (counts - 1000).abs().max() < 150


def test_only_legal_moves_are_drawn_and_each_of_them() -> None:
    moves = child(course(4000, stump=(0.4, 0.4)), 3).leaves["stump"]
    found, counts = moves.unique(dim=0, return_counts=True)
    assert found.tolist() == [[0.2, 0.4], [0.2, 0.6], [0.4, 0.6], [0.6, 0.6]]
    assert (counts - 1000).abs().max() < 150


def test_every_enabled_category_changes_and_no_other() -> None:
    parents = course(200, roughness=5.0, gap=(2.0, 4.0), stump=(1.0, 2.0), stair=(1.0, 2.0), stair_steps=4)
    old, new = parents.leaves, child(parents, 4, ("pit", "stair")).leaves
    assert (old["gap"] != new["gap"]).any(dim=1).all()
    assert (old["stair"] != new["stair"]).any(dim=1).all()
    assert ((old["stair_steps"] - new["stair_steps"]).abs() == 1).all()
    assert torch.equal(old["roughness"], new["roughness"])
    assert torch.equal(old["stump"], new["stump"])


def test_roughness_moves_by_at_most_six_tenths_both_ways() -> None:
    change = genome.tenths(child(course(4000, roughness=5.0), 5).leaves["roughness"] - 5.0)
    assert change.unique().tolist() == [n / 10 for n in range(-6, 7)]


def test_a_child_gets_a_fresh_terrain_seed() -> None:
    parents = genome.initial(Stream(1), 100)
    seeds = child(parents, 6).leaves["seed"]
    assert len(torch.cat([seeds, parents.leaves["seed"]]).unique()) == 200


def test_a_child_depends_on_its_own_key_and_not_on_its_row() -> None:
    parents = course(6, gap=(2.0, 4.0))
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    straight = genome.mutate(Stream(7).rows(torch.arange(6)), parents, ALL, 10.0)
    shuffled = genome.mutate(Stream(7).rows(order), parents.take(order), ALL, 10.0)
    assert torch.equal(straight.take(order).hashes, shuffled.hashes)


def test_float_drift_makes_no_second_genome_of_one() -> None:
    ups = genome.tenths(torch.tensor([0.1 + 0.2, 0.3, 0.2 - 0.2 - 1e-17], dtype=torch.float64))
    assert ups.tolist() == [0.3, 0.3, 0.0]
    assert not torch.signbit(ups).any()


def test_the_terrain_seed_is_no_part_of_the_description() -> None:
    one, other = course(1, gap=(1.0, 2.0)), genome.courses(torch.tensor([99]), gap=(1.0, 2.0))
    assert torch.equal(genome.describe(one), genome.describe(other))
    assert one.hashes != other.hashes


def test_distance_is_euclidean_over_the_description() -> None:
    flat, wide = course(1), course(2, gap=(3.0, 4.0))
    assert genome.distance(flat, wide).tolist() == [[5.0, 5.0]]
    assert genome.distance(wide, wide).tolist() == [[0.0, 0.0], [0.0, 0.0]]
