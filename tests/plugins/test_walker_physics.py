from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from Box2D.b2 import rayCastCallback

from aiga_walker import genome
from aiga_walker.env import CourseWalker
from aiga_walker.terrain import FINISH, Terrain, terrains


def lay(seed: int = 0, **values: object) -> Terrain:
    return terrains(genome.courses(torch.tensor([seed]), **values))[0]  # type: ignore[arg-type]


def noise(steps: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-scale, scale, (steps, 4)).astype(np.float32)


class Eavesdropper:
    """Gymnasium's random numbers, with the last uniform one written down: the start push."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        self.last = math.nan

    def uniform(self, *args: Any) -> float:
        self.last = self.rng.uniform(*args)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rng, name)


@pytest.mark.parametrize("hardcore", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_observations_and_rewards_are_gymnasiums_bit_for_bit(seed: int, hardcore: bool) -> None:
    theirs: Any = gymnasium.make("BipedalWalker-v3", hardcore=hardcore).unwrapped
    theirs._np_random = Eavesdropper(seed)
    first, _ = theirs.reset()
    ours = CourseWalker()
    # Another life before: its world must leave no trace.
    ours.begin(lay(99, roughness=3.0), 4.0)
    for action in noise(30, 5):
        ours.step(action)
    terrain = lay(seed, terrain="gymnasium-hardcore" if hardcore else "gymnasium")
    assert ours.begin(terrain, theirs._np_random.last).tobytes() == first.tobytes()
    # Beyond 1, so that clipping is compared as well; zeros, for the sign of nothing.
    for action in np.concatenate([noise(150, seed, 1.5), np.zeros((20, 4), np.float32), noise(150, seed + 1, 0.3)]):
        observation, reward, terminated, _, _ = theirs.step(action)
        mine = ours.step(action)
        assert mine[0].tobytes() == observation.tobytes()
        assert (mine[1], type(mine[1]), mine[2]) == (reward, type(reward), terminated)
        if terminated:
            break


def test_a_life_leaves_no_trace_in_the_next() -> None:
    terrain = lay(3, roughness=2.0, stump=(0.2, 0.6))
    fresh, used = CourseWalker(), CourseWalker()
    for earlier in range(5):
        used.begin(lay(earlier, roughness=4.0, gap=(0.4, 0.8)), 1.0)
        for action in noise(40, earlier):
            used.step(action)
    assert used.begin(terrain, -2.0).tobytes() == fresh.begin(terrain, -2.0).tobytes()
    for action in noise(120, 9):
        assert used.step(action)[0].tobytes() == fresh.step(action)[0].tobytes()


def test_the_start_push_moves_the_hull() -> None:
    walker, speeds = CourseWalker(), []
    for push in (-5.0, 0.0, 5.0):
        speeds.append(walker.begin(lay(), push)[2])
    assert speeds == sorted(set(speeds))


def rays(lidar: Any, seed: int) -> np.ndarray:
    walker = CourseWalker(lidar)
    walker.begin(lay(seed, gap=(1.0, 3.0), stump=(0.4, 1.5)), 0.0)
    # Carried along the course, so that the lidar sees every obstacle; the rays move nothing.
    seen = []
    for _ in range(60):
        for body in (walker.hull, *walker.legs):
            body.position = (body.position[0] + 1.0, body.position[1])
        seen.append(walker.step(np.zeros(4, np.float32))[0][14:])
        walker.game_over = False
    return np.stack(seen)


def test_the_lidar_reports_the_nearest_hit_and_the_first_met_on_request() -> None:
    nearest, first = rays("nearest", 1), rays("first-hit", 1)
    assert (nearest <= first + 1e-6).all()
    assert (nearest < first - 0.01).any()


def test_no_ray_could_have_been_shorter_than_the_nearest_hit() -> None:
    walker = CourseWalker()
    walker.begin(lay(2, gap=(1.0, 3.0), stump=(0.4, 1.5)), 0.0)

    class All(rayCastCallback):  # type: ignore[misc]
        def ReportFixture(self, fixture: Any, point: Any, normal: Any, fraction: float) -> float:
            if fixture.filterData.categoryBits & 1:
                self.fractions.append(fraction)
            return 1.0

    for _ in range(60):
        for body in (walker.hull, *walker.legs):
            body.position = (body.position[0] + 1.0, body.position[1])
        observation = walker.step(np.zeros(4, np.float32))[0]
        x, y = walker.hull.position
        for i in range(10):
            every = All()
            every.fractions = [1.0]
            end = (x + math.sin(0.15 * i) * 160 / 30, y - math.cos(0.15 * i) * 160 / 30)
            walker.world.RayCast(every, (x, y), end)
            assert observation[14 + i] == pytest.approx(min(every.fractions), abs=1e-5)


def test_the_end_of_the_course_ends_the_episode_without_a_fine() -> None:
    walker = CourseWalker()
    walker.begin(lay(), 0.0)
    assert not walker.finished
    for body in (walker.hull, *walker.legs):
        body.position = (body.position[0] + FINISH - 4.0, body.position[1])
    _, reward, terminated, _, _ = walker.step(np.zeros(4, np.float32))
    assert terminated
    assert walker.finished
    assert reward > 0


def test_a_fall_costs_a_hundred_and_is_no_finish() -> None:
    walker = CourseWalker()
    walker.begin(lay(), 0.0)
    for action in noise(600, 3):
        _, reward, terminated, _, _ = walker.step(action)
        if terminated:
            break
    assert terminated
    assert reward == -100
    assert not walker.finished


ROUGHEST = {"roughness": 10.0, "gap": (10.0, 10.0), "stump": (5.0, 5.0), "stair": (5.0, 5.0), "stair_steps": 9}


@pytest.mark.parametrize(
    "values",
    [
        ROUGHEST,
        {"roughness": 10.0},
        {"gap": (10.0, 10.0)},
        {"gap": (0.0, 0.8)},
        {"stump": (5.0, 5.0)},
        {"stump": (0.0, 1e-3)},
        {"stair": (5.0, 5.0), "stair_steps": 9},
        {"stair": (0.0, 1e-3), "stair_steps": 9},
    ],
)
def test_the_worst_courses_can_be_lived_in(values: dict[str, object]) -> None:
    walker = CourseWalker()
    for seed in range(6):
        walker.begin(lay(seed, **values), 5.0)
        for action in noise(60, seed):
            observation, reward, *_ = walker.step(action)
            assert np.isfinite(observation).all()
            assert math.isfinite(reward)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_three_hundred_lives_take_no_more_memory_than_one() -> None:
    walker = CourseWalker()
    terrain = lay(1, stump=(0.4, 1.0))

    def live(times: int) -> None:
        for _ in range(times):
            walker.begin(terrain, 1.0)
            walker.step(np.ones(4, np.float32))
            walker.end()

    live(30)
    before = resident()
    live(300)
    # A world of 230 bodies takes some 100 KB: 300 that leaked would be 30 MB.
    assert (resident() - before) * 4096 < 3e6
