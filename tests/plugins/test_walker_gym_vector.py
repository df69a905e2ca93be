"""The vector environments by themselves: threads, tensors, attributes, arguments."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode

import aiga_walker  # noqa: F401  registers the environments
from aiga_walker.physics import layout as at
from aiga_walker.physics.engine import SHARE

WALKER, BIPEDAL = "aiga/Walker-v0", "aiga/BipedalWalkerHardcore-v3"


def make(name: str, count: int, **options: Any) -> Any:
    return gymnasium.make_vec(name, num_envs=count, **options)


def actions(steps: int, count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (steps, count, 4)).astype(np.float32)


def test_importing_the_package_imports_neither_simulator_nor_torch() -> None:
    code = "import sys, aiga_walker; print([name for name in ('numba', 'torch', 'Box2D', 'pygame') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_number_of_threads_changes_no_bit() -> None:
    one, two = make(BIPEDAL, 150, threads=1), make(BIPEDAL, 150, threads=2)
    assert np.array_equal(one.reset(seed=0)[0], two.reset(seed=0)[0])
    for action in actions(80, 150):
        for mine, other in zip(one.step(action)[:4], two.step(action)[:4], strict=True):
            assert np.array_equal(mine, other)


def test_box2d_and_the_simulator_give_the_same_steps() -> None:
    fast, slow = (make(WALKER, 4, course=["Stump", "PitGap", "Stairs", "Hardcore"], physics=name) for name in ("fast", "box2d"))
    assert np.array_equal(fast.reset(seed=5)[0], slow.reset(seed=5)[0])
    for action in actions(200, 4):
        mine, other = fast.step(action), slow.step(action)
        for x, y in zip(mine[:4], other[:4], strict=True):
            assert np.array_equal(x, y)
            assert x.dtype == y.dtype
        assert mine[4].keys() == other[4].keys()


def test_arrays_are_copies_that_no_later_step_changes() -> None:
    env = make(BIPEDAL, 2)
    first, _ = env.reset(seed=0)
    kept = first.copy()
    steps = [env.step(action) for action in actions(2, 2)]
    assert np.array_equal(first, kept)
    assert not np.shares_memory(steps[0][1], steps[1][1])


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_tensors_hold_the_same_numbers_in_the_simulators_own_memory(mode: AutoresetMode) -> None:
    arrays = make(BIPEDAL, 3, autoreset_mode=mode, max_episode_steps=20)
    tensors = make(BIPEDAL, 3, autoreset_mode=mode, max_episode_steps=20, device="cpu")
    assert tensors.metadata["torch"]
    expected, (seen, _) = arrays.reset(seed=0)[0], tensors.reset(seed=0)
    assert np.array_equal(seen.numpy(), expected)
    for action in actions(45, 3):
        mine, other = tensors.step(torch.from_numpy(action).requires_grad_()), arrays.step(action)
        for tensor, array in zip(mine[:4], other[:4], strict=True):
            assert np.array_equal(tensor.numpy(), array.astype(tensor.numpy().dtype))
        assert mine[0].data_ptr() == seen.data_ptr()
        assert [tensor.dtype for tensor in mine[:4]] == [torch.float32, torch.float32, torch.bool, torch.bool]
        assert mine[4].keys() == other[4].keys()
        if "final_obs" in other[4]:
            assert np.array_equal(np.stack(mine[4]["final_obs"]), np.stack(other[4]["final_obs"]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_cuda_device_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(ValueError, match=re.escape("device 'cuda': torch finds 0 CUDA devices here")):
        make(BIPEDAL, 1, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is there")
def test_a_cuda_device_steps_to_the_same_numbers() -> None:
    arrays, tensors = make(BIPEDAL, 3), make(BIPEDAL, 3, device="cuda")
    assert np.array_equal(tensors.reset(seed=0)[0].cpu().numpy(), arrays.reset(seed=0)[0])
    for action in actions(20, 3):
        mine, other = tensors.step(torch.from_numpy(action).cuda()), arrays.step(action)
        assert all(tensor.is_cuda for tensor in mine[:4])
        assert np.array_equal(mine[0].cpu().numpy(), other[0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (WALKER, {"lidar": "first-hit"}, "lidar 'first-hit': physics 'fast' has only 'nearest'; write physics='box2d'"),
        (WALKER, {"lidar": "far"}, "lidar 'far': must be one of nearest, first-hit"),
        (WALKER, {"physics": "mujoco"}, "physics 'mujoco': must be one of fast, box2d"),
        (WALKER, {"physics": "box2d", "threads": 2}, "threads 2: physics 'box2d' steps one walker at a time"),
        (WALKER, {"course": ["flat"] * 3}, "course: 3 courses for 2 environments; give one for all, or one for each"),
        (BIPEDAL, {"threads": 0}, "threads 0: must be an int of 1 or more"),
        (BIPEDAL, {"num_envs": 0}, "num_envs 0: must be an int of 1 or more"),
        (BIPEDAL, {"num_envs": True}, "num_envs True: must be an int of 1 or more"),
        (BIPEDAL, {"hardcore": "no"}, "hardcore 'no': must be True or False"),
        (BIPEDAL, {"max_episode_steps": 0}, "max_episode_steps 0: must be an int of 1 or more, or None"),
        (BIPEDAL, {"autoreset_mode": "Never"}, "autoreset_mode 'Never': must be one of 'NextStep', 'SameStep', 'Disabled'"),
        (BIPEDAL, {"render_mode": "human"}, "render_mode 'human': must be None or 'rgb_array'"),
        (BIPEDAL, {"device": "tpu"}, "device 'tpu': must be None, 'cpu' or 'cuda'"),
        (BIPEDAL, {"device": "meta"}, "device 'meta': must be None, 'cpu' or 'cuda'"),
    ],
)
def test_a_bad_argument_is_refused_with_its_name_value_and_remedy(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        gymnasium.make_vec(name, **{"num_envs": 2, **options})


def test_first_hit_lidar_is_box2ds() -> None:
    env = make(WALKER, 1, lidar="first-hit", physics="box2d")
    assert env.observation_space.contains(env.reset(seed=0)[0])


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_actions_that_are_not_numbers_are_refused_and_step_nothing(mode: AutoresetMode) -> None:
    env, other = (make(BIPEDAL, 3, autoreset_mode=mode, max_episode_steps=4) for _ in range(2))
    env.reset(seed=0)
    other.reset(seed=0)
    for action in actions(12, 3):
        void = action.copy()
        void[1:, 2] = np.nan
        if not (mode is AutoresetMode.NEXT_STEP and env._truncations.any()):
            with pytest.raises(ValueError, match=re.escape("actions of environments [1, 2] are not numbers (NaN)")):
                env.step(void)
            action[0] = np.inf, -np.inf, 2.0, -7.0
        mine, theirs = env.step(action), other.step(np.clip(action, -1, 1))
        assert all(np.array_equal(x, y) for x, y in zip(mine[:4], theirs[:4], strict=True))


def test_an_action_of_an_environment_that_is_reset_is_not_looked_at() -> None:
    env = make(BIPEDAL, 1, max_episode_steps=1)
    env.reset(seed=0)
    env.step(np.zeros((1, 4)))
    assert env.step(np.full((1, 4), np.nan))[1].tolist() == [0.0]


@pytest.mark.parametrize("wrong", [np.zeros((3, 4)), np.zeros(4), [["a"] * 4] * 2, None])
def test_actions_of_another_shape_or_kind_are_refused(wrong: Any) -> None:
    env = make(BIPEDAL, 2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"^actions of (shape|type) .*must (have|be)"):
        env.step(wrong)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        ([True, False], TypeError),
        (np.array([1, 0]), TypeError),
        (np.array([False, False]), ValueError),
        (np.array([True]), ValueError),
    ],
)
def test_a_reset_mask_that_is_none_is_refused_with_gymnasiums_kind_of_error(mask: Any, kind: type[Exception]) -> None:
    env = make(WALKER, 2)
    with pytest.raises(kind, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


def test_seeds_that_are_too_few_or_none_are_refused_and_change_nothing() -> None:
    env = make(BIPEDAL, 2)
    env.reset(seed=4)
    with pytest.raises(ValueError, match=re.escape("seed: 3 seeds for 2 environments")):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(gymnasium.error.Error, match="greater or equal to zero"):
        env.reset(seed=[1, -2])
    assert env.np_random_seed == (4, 5)
    env.reset(seed=[None, np.int64(9)])
    assert env.np_random_seed == (4, 9)


def test_the_options_of_a_reset_are_the_callers_to_keep() -> None:
    env, options = make(BIPEDAL, 2), {"reset_mask": np.array([True, True])}
    env.reset(options=options)
    assert "reset_mask" in options


def test_what_was_never_reset_or_is_closed_cannot_be_stepped() -> None:
    env = make(BIPEDAL, 2)
    with pytest.raises(ResetNeeded):
        env.step(np.zeros((2, 4)))
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded):
        env.step(np.zeros((2, 4)))
    env.close()
    env.close()
    for act in (lambda: env.step(np.zeros((2, 4))), env.reset):
        with pytest.raises(ClosedEnvironmentError):
            act()


def test_a_walker_among_more_ground_than_there_is_room_for_is_named() -> None:
    env = make(BIPEDAL, 2)
    env.reset(seed=0)
    env._walkers._physics._herd._g.reshape(2, -1)[1, at.FLAGS] |= at.CROWDED
    with pytest.raises(RuntimeError, match=r"^environments \[1\]: the walker touches more .* use physics='box2d'$"):
        env.step(np.zeros((2, 4)))


def test_attributes_are_read_and_set_for_each_environment() -> None:
    env = make(WALKER, 2, course="Stump")
    env.reset(seed=6)
    assert env.get_attr("np_random_seed") == (6, 7)
    assert [len(terrain.boxes) > 0 for terrain in env.call("terrain")] == [True, True]
    env.set_attr("course", ["flat", "Stump"])
    env.reset()
    assert [len(terrain.boxes) > 0 for terrain in env.get_attr("terrain")] == [False, True]
    env.set_attr("np_random", [np.random.default_rng(0), np.random.default_rng(1)])
    assert env.np_random_seed == (-1, -1)
    with pytest.raises(ValueError, match="3 values of 'course' for 2 environments"):
        env.set_attr("course", ["flat"] * 3)
    with pytest.raises(AttributeError, match="'gravity' cannot be set: only np_random and course can"):
        env.set_attr("gravity", 1)
    with pytest.raises(AttributeError, match="'gravity': must be one of"):
        env.get_attr("gravity")
    with pytest.raises(AttributeError, match="only np_random can"):
        make(BIPEDAL, 1).set_attr("course", "flat")
    assert env.call("render") == (None, None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_forked_process_steps_on_with_threads_of_its_own() -> None:
    env = make(BIPEDAL, 2 * SHARE, threads=2)
    env.reset(seed=0)
    first, second = actions(2, 2 * SHARE)
    env.step(first)
    child = os.fork()
    if not child:
        signal.alarm(60)
        env.step(second)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_pickled_environment_goes_on_in_another_process(tmp_path: Path) -> None:
    env, (first, second) = make(BIPEDAL, 2), actions(2, 2)
    env.reset(seed=0)
    env.step(first)
    (tmp_path / "env").write_bytes(pickle.dumps((env, second)))
    code = "import pickle, sys; e, a = pickle.load(open(sys.argv[1], 'rb')); print(e.step(a)[0].tobytes().hex())"
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "env")], capture_output=True, text=True, check=True, timeout=120
    )
    assert told.stdout.strip() == env.step(second)[0].tobytes().hex()
    assert "compiling" not in told.stderr


@pytest.mark.parametrize("seed", [1.5, torch.tensor(3), np.array(5), b"ab", {3, 4}, "ab"])
def test_a_seed_that_is_none_is_refused(seed: Any) -> None:
    env = make(BIPEDAL, 2)
    with pytest.raises(ValueError, match="must be one int, a list with an int or None for each environment, or None"):
        env.reset(seed=seed)
    with pytest.raises(ValueError, match="must be a dict, or None"):
        env.reset(options=seed)


def test_actions_may_be_of_any_real_type() -> None:
    env = make(BIPEDAL, 2)
    steps = []
    for given in (np.zeros((2, 4), np.int8), torch.zeros(2, 4, dtype=torch.bfloat16), np.zeros((2, 4)), [[0.0] * 4] * 2):
        env.reset(seed=0)
        steps.append(env.step(given)[0])
    assert all(np.array_equal(step, steps[0]) for step in steps)
    for wrong in (np.zeros((2, 4), complex), torch.zeros(2, 4, device="meta"), np.zeros((2, 4), "datetime64[s]")):
        with pytest.raises(ValueError, match=re.escape("must be numbers of shape (2, 4)")):
            env.step(wrong)
