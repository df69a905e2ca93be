from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError, InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import aiga_maze  # noqa: F401  registers aiga/Maze-v0
from aiga import InputError

ID = "aiga/Maze-v0"
SMALL: dict[str, Any] = {"size": 5, "steps": 12}


def make(**options: Any) -> Any:
    return gymnasium.make(ID, **options)


def make_vec(count: int, **options: Any) -> Any:
    return gymnasium.make_vec(ID, num_envs=count, **options)


def actions(steps: int, count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 4, (steps, count))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) and a.dtype == object:
        return all((x is None and y is None) or np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    return np.array_equal(a, b) and a.dtype == b.dtype


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, aiga_maze; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


@pytest.mark.filterwarnings("ignore:.*render")
@pytest.mark.parametrize("maze", ["L7", "Rings", SMALL])
def test_gymnasiums_checker_finds_no_fault(maze: Any) -> None:
    check_env(make(maze=maze, render_mode="rgb_array", wall_penalty=0.5).unwrapped)


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_the_vector_environment_is_a_sync_vector_env_of_the_single_one(mode: AutoresetMode) -> None:
    options = {"maze": {"size": 5, "steps": 25}, "max_episode_steps": 18, "wall_penalty": 0.1}
    ours = make_vec(3, autoreset_mode=mode, **options)
    theirs = make_vec(3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode}, **options)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] is mode
    assert all(same(x, y) for x, y in zip(ours.reset(seed=5), theirs.reset(seed=5), strict=True))
    assert ours.np_random_seed == theirs.np_random_seed
    truncated, paid = 0, 0.0
    for action in actions(80, 3):
        mine, other = ours.step(action), theirs.step(action)
        assert all(same(x, y) for x, y in zip(mine, other, strict=True))
        truncated, paid = truncated + mine[3].sum(), paid + mine[1].sum()
    assert truncated > 3
    assert paid > 0
    assert all(same(x, y) for x, y in zip(ours.reset(seed=[None, 4, None]), theirs.reset(seed=[None, 4, None]), strict=True))


def test_environments_of_unlike_mazes_end_each_at_its_own_time() -> None:
    kinds = [SMALL, {"size": 9, "steps": 7}]
    env = make_vec(2, maze=kinds)
    single = [make(maze=kind) for kind in kinds]
    env.reset(seed=3)
    for number, one in enumerate(single):
        one.reset(seed=3 + number)
    for action in actions(7, 2):
        seen, reward, over, _, _ = env.step(action)
        alone = [one.step(move) for one, move in zip(single, action, strict=True)]
        assert np.array_equal(seen, np.stack([step[0] for step in alone]))
        assert reward.tolist() == [step[1] for step in alone]
    assert over.tolist() == [False, True]


def test_an_episode_is_what_the_agent_is_told_of_it() -> None:
    env = make(maze={"goal": [1, 2]})
    seen, info = env.reset(seed=2)
    goal, cell = info["goal"], np.array([3, 3])
    moves = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
    paid = 0
    for step, action in enumerate(actions(80, 1)[:, 0]):
        before, last = cell, seen
        seen, reward, over, truncated, _ = env.step(action)
        wall = last[:9].reshape(3, 3)[tuple(moves[action] + 1)]
        cell = before if wall else before + moves[action]
        assert (reward == 10.0) == bool((cell == goal).all())
        assert seen[9] == reward / 10.0
        assert np.array_equal(seen[10:14], np.eye(4)[action])
        assert seen[14:].tolist() == pytest.approx([1.0, (step + 1) / 80])
        assert over is (step == 79)
        assert not truncated
        if reward:
            paid += 1
            cell = where(env)
            assert not (cell == goal).all()
    assert paid > 0


def where(env: Any) -> np.ndarray:
    mazes = env.unwrapped._mazes
    return np.array(divmod(int(mazes._walks.cell[0]), mazes._batch.leaves["free"].shape[1]))


def test_a_seed_fixes_all_episodes_that_follow_and_no_seed_goes_on() -> None:
    def goals(seed: int) -> list[tuple[int, ...]]:
        env = make(maze="L13")
        return [tuple(env.reset(seed=seed if episode == 0 else None)[1]["goal"]) for episode in range(6)]

    assert goals(1) == goals(1)
    assert goals(1) != goals(2)
    assert len(set(goals(1))) > 2
    free = make_vec(40, maze="L13")
    assert len(set(map(tuple, free.reset()[1]["goal"]))) > 10
    assert -1 not in free.np_random_seed


def test_a_reset_can_change_the_maze_and_goes_on_with_the_chance() -> None:
    env, other = make(), make(maze="L11")
    env.reset(seed=7)
    other.reset(seed=7)
    changed, plain = env.reset(options={"maze": "L11"}), other.reset()
    assert same(changed[0], plain[0])
    assert same(changed[1], plain[1])
    assert env.unwrapped.maze.size == 11
    vector = make_vec(2)
    vector.reset(seed=7)
    assert vector.reset(options={"maze": ["L11", "L7"]})[1]["goal"][0].tolist() == plain[1]["goal"].tolist()
    assert [maze.side for maze in vector.get_attr("maze")] == [11, 7]
    with pytest.raises(ValueError, match="leave out 'reset_mask'"):
        vector.reset(options={"maze": "L7", "reset_mask": np.array([True, False])})


def test_without_autoreset_only_the_masked_environments_start_anew() -> None:
    env = make_vec(2, autoreset_mode="Disabled", maze=SMALL)
    env.reset(seed=1)
    for action in actions(12, 2):
        before, _, over, _, _ = env.step(action)
    assert over.all()
    with pytest.raises(RuntimeError, match="reset_mask"):
        env.step(action)
    after, info = env.reset(options={"reset_mask": np.array([True, False])})
    assert np.array_equal(after[1], before[1])
    assert info["_goal"].tolist() == [True, False]
    with pytest.raises(RuntimeError, match=re.escape("environments [1] are over")):
        env.step(action)
    env.reset(options={"reset_mask": np.array([False, True])})
    env.step(action)


@pytest.mark.parametrize("mode", list(AutoresetMode)[:2])
def test_tensors_hold_the_same_numbers(mode: AutoresetMode) -> None:
    arrays = make_vec(3, autoreset_mode=mode, maze=SMALL)
    tensors = make_vec(3, autoreset_mode=mode, maze=SMALL, device="cpu")
    assert tensors.metadata["torch"]
    first, info = tensors.reset(seed=0)
    expected = arrays.reset(seed=0)
    assert np.array_equal(first.numpy(), expected[0])
    assert same(info, expected[1])
    kept = first.clone()
    for action in actions(30, 3):
        mine, other = tensors.step(torch.from_numpy(action)), arrays.step(action)
        for tensor, array in zip(mine[:4], other[:4], strict=True):
            assert np.array_equal(tensor.numpy(), array.astype(tensor.numpy().dtype))
        assert [tensor.dtype for tensor in mine[:4]] == [torch.float32, torch.float32, torch.bool, torch.bool]
        assert same(mine[4], other[4])
    assert torch.equal(first, kept)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is there")
def test_a_cuda_device_steps_the_same_mazes() -> None:
    arrays, tensors = make_vec(50), make_vec(50, device="cuda")
    assert np.array_equal(tensors.reset(seed=0)[0].cpu().numpy(), arrays.reset(seed=0)[0])
    for action in actions(100, 50):
        mine, other = tensors.step(torch.from_numpy(action).cuda()), arrays.step(action)
        assert all(tensor.is_cuda for tensor in mine[:4])
        assert np.array_equal(mine[0].cpu().numpy(), other[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_cuda_device_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(ValueError, match=re.escape("device 'cuda': torch finds 0 CUDA devices here; write device='cpu'")):
        make_vec(1, device="cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs 0: must be an int of 1 or more"),
        ({"num_envs": True}, "num_envs True: must be an int of 1 or more"),
        ({"maze": ["L7"] * 3}, "maze: 3 mazes for 2 environments; give one for all, or one for each"),
        ({"max_episode_steps": 0}, "max_episode_steps 0: must be an int of 1 or more, or None"),
        ({"max_episode_steps": True}, "max_episode_steps True: must be an int of 1 or more, or None"),
        ({"autoreset_mode": "Never"}, "autoreset_mode 'Never': must be one of 'NextStep', 'SameStep', 'Disabled'"),
        ({"render_mode": "human"}, "render_mode 'human': must be None or 'rgb_array'"),
        ({"wall_penalty": -1}, "wall_penalty -1: must be a number from 0 to 10"),
        ({"device": "tpu"}, "device 'tpu': must be None, 'cpu' or 'cuda'"),
        ({"device": "meta"}, "device 'meta': must be None, 'cpu' or 'cuda'"),
    ],
)
def test_a_bad_argument_is_refused_with_its_name_value_and_remedy(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        gymnasium.make_vec(ID, **{"num_envs": 2, **options})


def test_a_maze_that_is_none_is_refused_with_every_mistake() -> None:
    with pytest.raises(InputError, match="Did you mean 'L11'"):
        make(maze="L111")
    with pytest.raises(InputError) as error:
        make(maze={"wall": [], "steps": 0, "goal": [0, 3]})
    assert "Did you mean 'walls'?" in str(error.value)
    assert len(error.value.problems) == 3
    for wrong in (7, [["L7"]], {"L7"}):
        with pytest.raises(InputError, match="write a name, or a dict of any of walls, size"):
            make_vec(1, maze=wrong)


@pytest.mark.parametrize(
    ("maze", "message"),
    [
        ({"walls": ["#####", "#...#", "##.##", "#...#", "####."]}, "the outermost cells must all be walls"),
        ({"walls": ["#####", "#...#", "#...#", "#####"]}, "must be a square of odd size, 5 to 51, found 4 rows"),
        ({"walls": ["#####", "#.#.#", "#.#.#", "#.#.#", "#####"]}, "must be connected with the start at row 2 of 5"),
        ({"walls": ["#####", "#o..#", "#...#", "#...#", "#####"]}, "rows hold '#' for a wall and '.' for a free cell"),
        ({"size": 8}, "pillars need an odd size; write 9"),
        ({"goal": [5, 2]}, "the least walk 5 is above the greatest 2"),
    ],
)
def test_walls_that_make_no_maze_are_refused(maze: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        make(maze=maze)


WRONG = [np.zeros((3,), int), np.zeros((2, 1), int), np.zeros(2), [["a"], ["b"]], None, [4, 0], [0, -1]]


@pytest.mark.parametrize("wrong", WRONG)
def test_actions_that_are_none_are_refused_and_step_nothing(wrong: Any) -> None:
    env, other = make_vec(2), make_vec(2)
    env.reset(seed=0)
    other.reset(seed=0)
    with pytest.raises(ValueError, match=r"^actions of .*(give|must be)"):
        env.step(wrong)
    assert same(env.step([0, 1])[0], other.step([0, 1])[0])


def test_a_single_environment_refuses_another_action() -> None:
    env = make(disable_env_checker=True)
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match="from 0 to 3"):
        env.step(4)


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        ([True, False], TypeError),
        (np.array([1, 0]), TypeError),
        (np.array([False, False]), ValueError),
        (np.array([True]), ValueError),
    ],
)
def test_a_reset_mask_that_is_none_is_refused(mask: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="reset_mask"):
        make_vec(2).reset(options={"reset_mask": mask})


def test_seeds_that_are_too_few_or_none_are_refused_and_change_nothing() -> None:
    env = make_vec(2)
    env.reset(seed=4)
    with pytest.raises(ValueError, match=re.escape("seed: 3 seeds for 2 environments")):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(gymnasium.error.Error, match="greater or equal to zero"):
        env.reset(seed=[1, -2])
    assert env.np_random_seed == (4, 5)
    env.reset(seed=[None, np.int64(9)])
    assert env.np_random_seed == (4, 9)


@pytest.mark.parametrize("wrong", [1.5, torch.tensor(3), np.array(5), b"ab", {3, 4}, "ab"])
def test_a_seed_or_an_option_that_is_none_is_refused(wrong: Any) -> None:
    env = make_vec(2)
    with pytest.raises(ValueError, match="must be one int, a list with an int or None for each environment, or None"):
        env.reset(seed=wrong)
    with pytest.raises(ValueError, match="must be a dict, or None"):
        env.reset(options=wrong)
    assert env.np_random_seed == (-1, -1)


def test_the_options_of_a_reset_are_the_callers_to_keep() -> None:
    env, options = make_vec(2), {"reset_mask": np.array([True, True])}
    env.reset(options=options)
    assert "reset_mask" in options


def test_what_was_never_reset_or_is_closed_cannot_be_stepped() -> None:
    env = make_vec(2)
    with pytest.raises(ResetNeeded):
        env.step([0, 0])
    env.reset(options={"reset_mask": np.array([True, False])})
    with pytest.raises(ResetNeeded):
        env.step([0, 0])
    env.close()
    for act in (lambda: env.step([0, 0]), env.reset):
        with pytest.raises(ClosedEnvironmentError):
            act()


def test_attributes_are_read_and_cannot_be_set() -> None:
    env = make_vec(2, maze="Comb")
    env.reset(seed=6)
    assert env.get_attr("np_random_seed") == (6, 7)
    assert [maze.side for maze in env.call("maze")] == [13, 13]
    assert env.call("render") == (None, None)
    with pytest.raises(AttributeError, match="'gravity': must be one of"):
        env.get_attr("gravity")
    with pytest.raises(AttributeError, match="'maze' cannot be set: give reset"):
        env.set_attr("maze", "L7")


def test_frames_are_drawn_on_request_alone() -> None:
    env = make(render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.dtype == np.uint8
    assert frame.shape == (240, 240, 3)
    for action in (0, 1, 2, 3):
        env.step(action)
    env.step(0)
    assert not np.array_equal(env.render(), frame)
    vector = make_vec(2, render_mode="rgb_array", maze=["L7", "L13"])
    vector.reset(seed=0)
    assert [frame.shape for frame in vector.render()] == [(240, 240, 3)] * 2
    assert make_vec(2).render() is None
