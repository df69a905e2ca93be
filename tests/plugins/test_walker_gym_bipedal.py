"""``aiga/BipedalWalker-v3`` and its hardcore sister are Gymnasium's own: seed by seed, number by number, only faster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import Box2D
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker, BipedalWalkerHeuristics
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

import aiga_walker  # noqa: F401  registers the environments
from aiga_walker.courses import course_of
from aiga_walker.gym_terrain import draw
from aiga_walker.terrain import Point, Terrain, terrains

IDS = ("BipedalWalker-v3", "BipedalWalkerHardcore-v3")
ids = pytest.mark.parametrize("name", IDS)


class Fresh(BipedalWalker):
    """Gymnasium's walker, but with a new world for each episode: one that is used again gives other ids, and so other bits."""

    def reset(self, **options: Any) -> Any:
        self.world, self.terrain = Box2D.b2World(), []
        return super().reset(**options)


def theirs(name: str, count: int, mode: AutoresetMode, limit: int) -> SyncVectorEnv:
    hardcore = "Hardcore" in name
    return SyncVectorEnv([lambda: TimeLimit(Fresh(hardcore=hardcore), limit) for _ in range(count)], autoreset_mode=mode)


def actions(steps: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (steps, *shape, 4)).astype(np.float32)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) and a.dtype == object:
        return all((x is None and y is None) or np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b) and a.dtype == b.dtype


def all_same(mine: Any, other: Any) -> bool:
    return all(same(x, y) for x, y in zip(mine, other, strict=True))


@ids
def test_it_is_registered_as_gymnasiums_own(name: str) -> None:
    ours, own = gymnasium.spec(f"aiga/{name}"), gymnasium.spec(name)
    assert (ours.max_episode_steps, ours.reward_threshold) == (own.max_episode_steps, own.reward_threshold)
    single, batch = gymnasium.make(f"aiga/{name}"), gymnasium.make_vec(f"aiga/{name}", num_envs=3)
    reference, references = gymnasium.make(name), gymnasium.make_vec(name, num_envs=3, vectorization_mode="sync")
    assert single.observation_space == reference.observation_space
    assert single.action_space == reference.action_space
    assert batch.observation_space == references.observation_space
    assert batch.action_space == references.action_space
    assert batch.metadata["autoreset_mode"] is references.metadata["autoreset_mode"]
    assert batch.spec is not None
    assert batch.spec.max_episode_steps == own.max_episode_steps


@pytest.mark.filterwarnings("ignore:.*render")
@ids
def test_gymnasiums_checker_finds_no_fault(name: str) -> None:
    check_env(gymnasium.make(f"aiga/{name}", render_mode="rgb_array").unwrapped)


def laid_by_gymnasium(seed: int, hardcore: bool) -> Terrain:
    """What ``BipedalWalker-v3`` lays when it is reset with ``seed``: its generator run on a world that only takes notes."""
    notes: list[tuple[Point, ...]] = []
    polygon, edge = (SimpleNamespace(shape=SimpleNamespace(vertices=())) for _ in range(2))

    def note(fixtures: Any) -> SimpleNamespace:
        if fixtures is polygon:
            notes.append(tuple((float(x), float(y)) for x, y in fixtures.shape.vertices))
        return SimpleNamespace()

    taker = SimpleNamespace(
        np_random=np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))),
        world=SimpleNamespace(CreateStaticBody=note),
        fd_polygon=polygon,
        fd_edge=edge,
    )
    lay: Any = BipedalWalker._generate_terrain
    lay(taker, hardcore)
    line = tuple((float(x), float(y)) for x, y in zip(taker.terrain_x, taker.terrain_y, strict=True))
    return Terrain(line, tuple(notes))


@ids
def test_its_courses_are_what_gymnasiums_generator_lays(name: str) -> None:
    hardcore = "Hardcore" in name
    laid = [laid_by_gymnasium(seed, hardcore) for seed in range(300)]
    assert terrains(course_of("Hardcore" if hardcore else "BipedalWalker").rows(torch.arange(300))) == laid
    for seed, expected in enumerate(laid):
        assert draw(np.random.default_rng(np.random.PCG64(seed)), hardcore)[0] == expected


@ids
def test_after_a_reset_the_random_numbers_are_where_gymnasium_leaves_them(name: str) -> None:
    ours, own = gymnasium.make(f"aiga/{name}"), gymnasium.make(name)
    for seed in (0, 12345, None, None, 7, None):
        ours.reset(seed=seed)
        own.reset(seed=seed)
        assert ours.np_random.bit_generator.state == own.np_random.bit_generator.state
        assert ours.np_random_seed == own.np_random_seed


@ids
def test_the_first_episode_is_that_of_gymnasiums_own_environment(name: str) -> None:
    ours = gymnasium.make_vec(f"aiga/{name}", num_envs=6)
    own = gymnasium.make_vec(name, num_envs=6, vectorization_mode="sync")
    assert all_same(ours.reset(seed=11), own.reset(seed=11))
    alive = np.ones(6, bool)
    for action in actions(250, 6):
        mine, other = ours.step(action), own.step(action)
        for x, y in zip(mine[:4], other[:4], strict=True):
            assert same(x[alive], y[alive])
        alive &= ~(mine[2] | mine[3])
    assert alive.sum() < 6


@ids
def test_a_single_environment_has_the_same_episodes(name: str) -> None:
    ours, own = gymnasium.make(f"aiga/{name}"), TimeLimit(Fresh(hardcore="Hardcore" in name), 1600)
    assert np.array_equal(ours.reset(seed=3)[0], own.reset(seed=3)[0])
    ends = 0
    for action in actions(300):
        mine, other = ours.step(action), own.step(action)
        assert np.array_equal(mine[0], other[0])
        assert mine[1:] == (float(other[1]), *other[2:])
        if mine[2]:
            ends += 1
            assert np.array_equal(ours.reset()[0], own.reset()[0])
    assert ends > 0


@pytest.mark.parametrize(("seed", "ends"), [(6, (True, False)), (0, (False, True))])
def test_a_walk_to_the_finishing_line_or_to_the_time_limit_is_the_same(seed: int, ends: tuple[bool, bool]) -> None:
    ours, own = gymnasium.make("aiga/BipedalWalker-v3"), gymnasium.make("BipedalWalker-v3")
    heuristics, seen = BipedalWalkerHeuristics(), ours.reset(seed=seed)[0]
    own.reset(seed=seed)
    terminated = truncated = False
    while not (terminated or truncated):
        action = np.array(heuristics.step_heuristic(seen), np.float32)
        seen, reward, terminated, truncated, _ = ours.step(action)
        expected = own.step(action)
        assert np.array_equal(seen, expected[0])
        assert (reward, terminated, truncated) == (float(expected[1]), *expected[2:4])
    assert (terminated, truncated) == ends
    assert reward > -100.0


@ids
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_later_episodes_are_too_where_worlds_are_fresh(name: str, mode: AutoresetMode) -> None:
    ours = gymnasium.make_vec(f"aiga/{name}", num_envs=6, autoreset_mode=mode, max_episode_steps=90)
    own = theirs(name, 6, mode, 90)
    assert all_same(ours.reset(seed=[3, 1, 4, 15, 9, 2]), own.reset(seed=[3, 1, 4, 15, 9, 2]))
    ends = np.zeros(2, int)
    for turn, action in enumerate(actions(300, 6)):
        mine, other = ours.step(action), own.step(action)
        assert all_same(mine, other), turn
        ends += mine[2].sum(), mine[3].sum()
        if turn == 200:
            # Amid episodes and amid what the autoreset had in mind.
            mask, seeds = np.array([True, False, True, True, False, False]), [5, 6, None, 8, 9, 10]
            assert all_same(
                ours.reset(seed=seeds, options={"reset_mask": mask}), own.reset(seed=seeds, options={"reset_mask": mask})
            )
    assert (ends > 5).all()
    assert all_same(ours.reset(), own.reset())
    assert ours.np_random_seed == own.np_random_seed


@ids
def test_without_autoreset_they_are_too(name: str) -> None:
    ours = gymnasium.make_vec(f"aiga/{name}", num_envs=5, autoreset_mode="Disabled", max_episode_steps=70)
    own = theirs(name, 5, AutoresetMode.DISABLED, 70)
    assert all_same(ours.reset(seed=21), own.reset(seed=21))
    resets = 0
    for action in actions(200, 5):
        mine, other = ours.step(action), own.step(action)
        assert all_same(mine, other)
        if (over := mine[2] | mine[3]).any():
            resets += 1
            assert all_same(ours.reset(options={"reset_mask": over}), own.reset(options={"reset_mask": over}))
    assert resets > 2


def test_hardcore_can_be_asked_for_as_in_gymnasium() -> None:
    asked, named = gymnasium.make("aiga/BipedalWalker-v3", hardcore=True), gymnasium.make("aiga/BipedalWalkerHardcore-v3")
    asked.reset(seed=0)
    named.reset(seed=0)
    assert asked.np_random.bit_generator.state == named.np_random.bit_generator.state
