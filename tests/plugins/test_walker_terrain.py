from __future__ import annotations

import hashlib
import itertools
import struct
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker
from hypothesis import given, settings
from hypothesis import strategies as st

from aiga_walker import genome
from aiga_walker import terrain as ground
from aiga_walker.courses import course_of
from aiga_walker.terrain import CELL, CELLS, GROUND, PAD, Packed, Terrain, terrains


def lay(seed: int = 0, **values: object) -> Terrain:
    return terrains(genome.courses(torch.tensor([seed]), **values))[0]  # type: ignore[arg-type]


def digest(terrain: Terrain) -> str:
    numbers = [x for point in itertools.chain(terrain.line, *terrain.boxes) for x in point]
    return hashlib.sha256(struct.pack(f"<{len(numbers)}d", *numbers)).hexdigest()[:16]


def cells(terrain: Terrain) -> list[float]:
    return [box[0][0] / CELL for box in terrain.boxes]


# Whoever changes these breaks the scores of every course ever stored: raise genome.VERSION with them.
GOLDEN = [
    (1, {"roughness": 3.3}, "49cd642bce0d3dbe"),
    (2, {"gap": (0.4, 4.8)}, "d6d2dc9ac4b0b127"),
    (3, {"stump": (0.2, 2.4)}, "380728429588d4e8"),
    (4, {"stair": (0.4, 2.0), "stair_steps": 5}, "a77f5e363eae96af"),
    (5, {"roughness": 7.1, "gap": (0.8, 10.0), "stump": (0.0, 5.0), "stair": (0.0, 5.0), "stair_steps": 9}, "06202e4c585fd490"),
    (6, {"terrain": "gymnasium-hardcore"}, "3bbb0301447f25af"),
]


@pytest.mark.parametrize(("seed", "values", "expected"), GOLDEN)
def test_a_genome_and_a_seed_give_these_very_vertices(seed: int, values: dict[str, object], expected: str) -> None:
    assert digest(lay(seed, **values)) == expected


def test_a_terrain_does_not_depend_on_its_batch() -> None:
    batch = genome.courses(torch.arange(20), 2.0, stump=(0.4, 1.0))
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    assert terrains(batch.take(order)) == [terrains(batch)[row] for row in order.tolist()]


def test_another_terrain_seed_is_another_terrain() -> None:
    assert lay(1, roughness=1.0) != lay(2, roughness=1.0)


def test_without_roughness_or_obstacles_the_ground_is_flat() -> None:
    terrain = lay()
    assert terrain.boxes == ()
    assert terrain.line == tuple((cell * CELL, GROUND) for cell in range(CELLS))


def test_roughness_one_is_gymnasiums_own_generator_fed_with_the_same_draws() -> None:
    draws = ground._draw(torch.tensor([11]))[0]
    runs = iter(draws.run)
    drawn: list[float] = []

    def uniform(low: float, high: float) -> float:
        # Gymnasium draws for grass cells alone; ours are numbered by cell.
        cell = len(taker.terrain_y)
        drawn.append(draws.bump[cell])
        return draws.bump[cell]

    taker = SimpleNamespace(
        np_random=SimpleNamespace(uniform=uniform, integers=lambda low, high: next(runs)),
        world=SimpleNamespace(CreateStaticBody=lambda fixtures: SimpleNamespace()),
        fd_polygon=SimpleNamespace(shape=SimpleNamespace()),
        fd_edge=SimpleNamespace(shape=SimpleNamespace()),
    )
    BipedalWalker._generate_terrain(taker, False)  # type: ignore[arg-type, no-untyped-call]
    assert len(drawn) > 100
    assert lay(11, roughness=1.0).line == tuple(zip(taker.terrain_x, taker.terrain_y, strict=True))


def test_roughness_scales_the_slope() -> None:
    flat, gentle, rough = (np.array(lay(3, roughness=r).line)[:, 1] for r in (0.0, 0.5, 9.0))
    assert np.ptp(flat) == 0 < np.ptp(gentle) < np.ptp(rough)


def test_grass_runs_last_five_to_nine_cells_after_a_flat_pad_of_twenty() -> None:
    apart: set[int] = set()
    for seed in range(20):
        at = [round(cell) for cell in cells(lay(seed, stump=(1.0, 1.0)))]
        assert at[0] == PAD
        apart |= {right - left - 1 for left, right in itertools.pairwise(at)}
    assert apart == {5, 6, 7, 8, 9}


def test_a_stump_is_a_cell_wide_and_as_high_as_its_range_says() -> None:
    heights = []
    for seed in range(20):
        for left, right, corner, _ in lay(seed, stump=(0.6, 2.0)).boxes:
            assert right[0] - left[0] == pytest.approx(CELL)
            heights.append((right[1] - corner[1]) / CELL)
    assert 0.6 <= min(heights) < 0.75
    assert 1.85 < max(heights) <= 2.0


def test_a_pit_is_as_wide_as_drawn_and_four_cells_deep_fractions_included() -> None:
    terrain = lay(1, gap=(2.7, 2.7))
    near, far = terrain.boxes[:2]
    assert (far[0][0] - near[1][0]) / CELL == pytest.approx(2.7)
    assert (near[0][1] - near[2][1]) / CELL == pytest.approx(4)
    # In at the near box's left edge, along the bottom, out at the far box's right edge.
    at = round(near[0][0] / CELL)
    heights = [y for _, y in terrain.line[at : at + 6]]
    assert heights == [GROUND, *[GROUND - 4 * CELL] * 4, GROUND]
    assert terrain.line[at + 5][0] == far[1][0]


def test_pits_spread_over_their_range() -> None:
    widths = []
    for seed in range(20):
        boxes = lay(seed, gap=(0.4, 6.0)).boxes
        widths += [(far[0][0] - near[1][0]) / CELL for near, far in zip(boxes[::2], boxes[1::2], strict=True)]
    assert 0.4 <= min(widths) < 0.8
    assert 5.6 < max(widths) <= 6.0


def test_stairs_have_all_their_steps_four_cells_wide_up_or_down() -> None:
    up = down = 0
    for seed in range(10):
        terrain = lay(seed, stair=(1.5, 1.5), stair_steps=3)
        threes = (terrain.boxes[i : i + 3] for i in range(0, len(terrain.boxes), 3))
        for first, second, third in threes:
            assert first[1][0] - first[0][0] == pytest.approx(4 * CELL)
            assert second[0][0] == pytest.approx(first[1][0])
            rise = (second[0][1] - first[0][1]) / CELL
            assert abs(rise) == pytest.approx(1.5)
            assert third[0][1] - second[0][1] == pytest.approx(rise * CELL)
            up, down = up + (rise > 0), down + (rise < 0)
    assert up > 10
    assert down > 10


def test_the_ground_goes_on_where_the_stairs_end() -> None:
    for seed in range(6):
        terrain = lay(seed, stair=(1.5, 1.5), stair_steps=2)
        first, second = terrain.boxes[:2]
        going_up = second[0][1] > first[0][1]
        after = terrain.line[round(second[1][0] / CELL) + 1][1]
        assert after == pytest.approx(second[0][1] if going_up else second[2][1])


def test_all_kinds_of_obstacle_that_are_there_are_drawn_about_equally() -> None:
    pits = stumps = stairs = 0
    for seed in range(60):
        terrain = lay(seed, gap=(0.8, 0.8), stump=(0.4, 0.4), stair=(0.2, 0.2), stair_steps=1)
        for box in terrain.boxes:
            height, width = (box[0][1] - box[2][1]) / CELL, (box[1][0] - box[0][0]) / CELL
            pits += height > 3.9
            stumps += abs(height - 0.4) < 1e-6
            stairs += abs(width - 4) < 1e-6
    total = pits / 2 + stumps + stairs
    assert all(0.26 < count / total < 0.41 for count in (pits / 2, stumps, stairs))


def test_a_sliver_that_box2d_would_refuse_is_left_out() -> None:
    assert lay(stump=(0.0, 1e-5)).boxes == ()
    assert lay(stump=(0.0, 1e-2)).boxes != ()


@pytest.mark.parametrize("hardcore", [False, True])
def test_gymnasiums_own_course_is_the_one_that_gymnasium_lays(hardcore: bool) -> None:
    env = gymnasium.make("BipedalWalker-v3", hardcore=hardcore).unwrapped
    env.reset(seed=7)
    terrain = lay(7, terrain="gymnasium-hardcore" if hardcore else "gymnasium")
    assert terrain.line == tuple(zip(env.terrain_x, env.terrain_y, strict=True))  # type: ignore[attr-defined]
    bodies = [body for body in env.terrain if len(body.fixtures[0].shape.vertices) > 2]  # type: ignore[attr-defined]
    assert len(terrain.boxes) == len(bodies)


lengths = st.floats(0, 5).map(lambda x: round(x, 1))
ranges = st.tuples(lengths, lengths).map(lambda ends: (min(ends), max(ends)))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), lengths, ranges, ranges, ranges, st.integers(0, 9))
def test_any_genome_gives_two_hundred_vertices_from_left_to_right(
    seed: int, roughness: float, gap: tuple[float, float], stump: tuple[float, float], stair: tuple[float, float], steps: int
) -> None:
    terrain = lay(seed, roughness=2 * roughness, gap=(2 * gap[0], 2 * gap[1]), stump=stump, stair=stair, stair_steps=steps)
    line = np.array(terrain.line)
    assert line.shape == (CELLS, 2)
    assert np.isfinite(line).all()
    assert (np.diff(line[:, 0]) >= 0).all()


@pytest.mark.parametrize("course", [{}, {"terrain": "gymnasium-hardcore"}, {"stump": (1.0, 2.0)}])
def test_a_packed_terrain_is_the_terrain(course: dict[str, Any]) -> None:
    terrain = lay(3, **course)
    assert Packed.of(terrain).terrain() == terrain


def test_painted_ground_begins_flat_and_leads_as_far_as_it_may() -> None:
    made = terrains(course_of({"roughness": 3.0, "terrain": "cppn"}).rows(torch.arange(40)))
    heights = np.array([[y for _, y in terrain.line] for terrain in made])
    assert (heights[:, : PAD + 1] == GROUND).all()
    assert np.allclose(np.abs(heights - GROUND).max(axis=1), 3.0, atol=1e-5)
    assert len(np.unique(heights.round(3), axis=0)) == 40
    turns = (np.diff(np.sign(np.diff(heights, axis=1)), axis=1) != 0).sum(axis=1)
    assert turns.max() > 5
    alone = terrains(course_of({"roughness": 3.0, "terrain": "cppn"}).rows(torch.tensor([7])))
    assert alone == [made[7]]
    assert terrains(course_of({"terrain": "cppn"}).rows(torch.tensor([1])))[0].line == lay(1).line
