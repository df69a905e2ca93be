from __future__ import annotations

import re
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import aiga_walker  # noqa: F401  registers aiga/Walker-v0
from aiga import InputError
from aiga_walker.gym_single import WalkerEnv

ID = "aiga/Walker-v0"


def make(**options: Any) -> Any:
    return gymnasium.make(ID, **options)


def make_vec(count: int, **options: Any) -> Any:
    return gymnasium.make_vec(ID, num_envs=count, **options)


@pytest.mark.filterwarnings("ignore:.*render")
@pytest.mark.parametrize("physics", ["fast", "box2d"])
@pytest.mark.parametrize("course", ["flat", "Hardcore"])
def test_gymnasiums_checker_finds_no_fault(course: str, physics: str) -> None:
    check_env(make(course=course, physics=physics, render_mode="rgb_array").unwrapped)


def test_it_is_registered_with_the_walkers_limits() -> None:
    spec = gymnasium.spec(ID)
    assert (spec.max_episode_steps, spec.reward_threshold) == (2000, 230.0)
    theirs = gymnasium.make("BipedalWalker-v3")
    assert make().observation_space == theirs.observation_space
    assert make().action_space == theirs.action_space


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) and a.dtype == object:
        return all((x is None and y is None) or np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b) and a.dtype == b.dtype


@pytest.mark.parametrize("physics", ["fast", "box2d"])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_the_vector_environment_is_a_sync_vector_env_of_the_single_one(mode: AutoresetMode, physics: str) -> None:
    options = {"course": "Stump", "physics": physics, "max_episode_steps": 45}
    ours = make_vec(3, autoreset_mode=mode, **options)
    theirs = make_vec(3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **options)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] is mode
    assert all(same(x, y) for x, y in zip(ours.reset(seed=5), theirs.reset(seed=5), strict=True))
    assert ours.np_random_seed == theirs.np_random_seed
    ends = np.zeros(2, int)
    for action in np.random.default_rng(0).uniform(-1, 1, (150, 3, 4)).astype(np.float32):
        mine, other = ours.step(action), theirs.step(action)
        assert all(same(x, y) for x, y in zip(mine, other, strict=True))
        ends += mine[2].sum(), mine[3].sum()
    assert (ends > 0).all()


def test_without_autoreset_only_the_masked_environments_start_anew() -> None:
    env = make_vec(2, autoreset_mode="Disabled", max_episode_steps=3)
    env.reset(seed=1)
    action = np.ones((2, 4), np.float32)
    for _ in range(3):
        before, _, _, truncated, _ = env.step(action)
    assert truncated.all()
    with pytest.raises(RuntimeError, match="reset_mask"):
        env.step(action)
    after, info = env.reset(options={"reset_mask": np.array([True, False])})
    assert np.array_equal(after[1], before[1])
    assert not np.array_equal(after[0], before[0])
    assert info["_terrain_seed"].tolist() == [True, False]
    with pytest.raises(RuntimeError):
        env.step(action)
    env.reset(options={"reset_mask": np.array([False, True])})
    env.step(action)


def test_each_environment_can_have_a_course_of_its_own() -> None:
    env = make_vec(2, course=["flat", {"gap": [1.0, 2.0], "seed": 4}])
    _, info = env.reset(seed=0)
    assert info["terrain_seed"][1] == 4
    assert [len(terrain.boxes) > 0 for terrain in env.get_attr("terrain")] == [False, True]


def test_a_course_is_drawn_anew_at_each_reset_unless_its_seed_is_given() -> None:
    free, fixed = make(course={"roughness": 3.0}), make(course={"roughness": 3.0, "seed": 7})
    assert free.reset(seed=1)[1] != free.reset()[1]
    assert free.reset(seed=1)[1] == free.reset(seed=1)[1]
    assert fixed.reset(seed=1)[1] == fixed.reset()[1] == {"terrain_seed": 7}


def test_a_reset_can_change_the_course() -> None:
    env = make()
    env.reset(seed=0)
    env.reset(options={"course": {"stump": [1.0, 2.0]}})
    assert env.unwrapped.terrain.boxes
    env.reset()
    assert env.unwrapped.terrain.boxes


def test_a_course_that_is_none_is_refused_with_every_mistake() -> None:
    with pytest.raises(InputError) as error:
        make(course={"stumps": [1.0, 2.0], "gap": [3.0, 1.0], "roughness": -1})
    message = str(error.value)
    assert "Did you mean 'stump'?" in message
    assert "lower end 3.0 is above" in message
    assert len(error.value.problems) == 3
    with pytest.raises(InputError, match="Did you mean 'Stairs'"):
        make(course="Stair")


def test_frames_are_drawn_on_request_alone() -> None:
    env = make(render_mode="rgb_array", course="Stump")
    env.reset(seed=0)
    frame = env.render()
    assert frame.dtype == np.uint8
    assert frame.shape == (240, 400, 3)
    for _ in range(30):
        env.step(np.ones(4, np.float32))
    assert not np.array_equal(env.render(), frame)
    with pytest.raises(ValueError, match="render_mode"):
        WalkerEnv(render_mode="human")
    vec = make_vec(2, render_mode="rgb_array")
    vec.reset(seed=0)
    assert len(vec.render()) == 2
    assert make_vec(2).render() is None


@pytest.mark.parametrize(
    ("course", "message"),
    [
        (
            {"stair": [1.0, 1.0]},
            "stair_steps: a course with stairs needs steps in them; write stair_steps of 1 or more; found 0",
        ),
        ({"stump": 0.4}, "stump: write the least and the greatest, as in [0.4, 0.8]; found 0.4"),
        ({"gap": [0.4]}, "gap: write the least and the greatest, as in [0.4, 0.8]; found [0.4]"),
        ({"gap": [3, 1]}, "gap: the lower end 3.0 is above the upper end 1.0"),
        ({"stair_height": 1}, "Did you mean 'stair'?"),
        ({3: 1}, "walker course: 3:"),
        (3, "found 3; write a name, or a dict of any of roughness, gap,"),
    ],
)
def test_a_course_that_is_none_is_refused_with_what_to_write(course: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        WalkerEnv(course)
