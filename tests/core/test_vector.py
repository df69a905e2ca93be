"""What all vector environments check, by one that does nothing: arguments, what a reset is asked for, attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError, Error
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode

from aiga.vector import CheckedVectorEnv, counted, one_each, rendered

METADATA = {"render_modes": ["rgb_array"], "render_fps": 5}
SEEDS = "must be one int, a list with an int or None for each environment, or None"


class Idle(CheckedVectorEnv):
    """Three environments that are never stepped."""

    def __init__(self, steps: Any = None, mode: Any = "NextStep", tensors: bool = False) -> None:
        super().__init__(3, Box(0, 1), Box(0, 1), METADATA, None, steps, mode, tensors)

    def _attributes(self) -> dict[str, Callable[[], Sequence[Any]]]:
        return {"number": lambda: [1, 2, 3]}


def test_seeds_count_on_from_one_or_are_given_to_each() -> None:
    env = Idle()
    assert env._asked(np.int64(5), None).seeds == {0: 5, 1: 6, 2: 7}
    assert env._asked(None, {}).seeds == {}
    assert env._asked([4, None, np.int64(0)], None).seeds == {0: 4, 2: 0}
    assert {type(seed) for seed in env._asked(np.array([4, 5, 6]), None).seeds.values()} == {int}


def test_only_environments_of_the_mask_are_reset_and_get_their_seeds() -> None:
    options = {"reset_mask": np.array([False, True, True]), "more": 1}
    asked = Idle()._asked(5, options)
    assert asked == ([1, 2], {1: 6, 2: 7}, {"more": 1})
    assert "reset_mask" in options
    assert Idle()._asked(None, {"reset_mask": torch.tensor([True, False, False])}).rows == [0]
    assert Idle()._asked(None, None).rows == [0, 1, 2]


@pytest.mark.parametrize(
    ("seed", "kind", "message"),
    [
        (1.5, ValueError, f"seed 1.5: {SEEDS}"),
        ("abc", ValueError, f"seed 'abc': {SEEDS}"),
        (np.array(5), ValueError, f"seed array(5): {SEEDS}"),
        ({1, 2, 3}, ValueError, f"seed {{1, 2, 3}}: {SEEDS}"),
        ([1, 2], ValueError, "seed: 2 seeds for 3 environments; give one int, or one for each"),
        (-1, Error, "seed -1: must be an int greater or equal to zero, or None"),
        ([1, 2.0, 3], Error, "seed 2.0: must be an int greater or equal to zero, or None"),
    ],
)
def test_a_seed_that_is_none_is_refused(seed: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        Idle()._asked(seed, None)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ([], ValueError, "options []: must be a dict, or None"),
        ({"reset_mask": [True, False, True]}, TypeError, "must be a bool array of shape (3,)"),
        ({"reset_mask": np.ones(3)}, TypeError, "must be a bool array of shape (3,)"),
        ({"reset_mask": np.ones(2, np.bool_)}, ValueError, "must be a bool array of shape (3,) with at least one True"),
        ({"reset_mask": np.zeros(3, np.bool_)}, ValueError, "must be a bool array of shape (3,) with at least one True"),
    ],
)
def test_options_that_are_none_are_refused(options: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        Idle()._asked(None, options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: counted(0), "num_envs 0: must be an int of 1 or more"),
        (lambda: counted(True), "num_envs True: must be an int of 1 or more"),
        (lambda: counted(2.0), "num_envs 2.0: must be an int of 1 or more"),
        (lambda: Idle(steps=0), "max_episode_steps 0: must be an int of 1 or more, or None for no limit"),
        (lambda: Idle(mode="Never"), "autoreset_mode 'Never': must be one of 'NextStep', 'SameStep', 'Disabled'"),
        (lambda: rendered("human", METADATA), "render_mode 'human': must be None or 'rgb_array'"),
        (lambda: one_each("room", ["a"], 2), "room: 1 rooms for 2 environments; give one for all, or one for each"),
    ],
)
def test_an_argument_that_is_none_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_what_is_given_once_is_for_all() -> None:
    assert one_each("room", "a", 2) == ["a", "a"]
    assert one_each("room", ("a", {}), 2) == ["a", {}]
    assert counted(np.int64(3)) == 3


def test_attributes_are_told_of_each_environment() -> None:
    env = Idle(steps=7, mode=AutoresetMode.SAME_STEP, tensors=True)
    assert env.get_attr("number") == (1, 2, 3)
    assert env.call("max_episode_steps") == (7, 7, 7)
    assert env.metadata == {**METADATA, "autoreset_mode": AutoresetMode.SAME_STEP, "torch": True}
    assert env.observation_space.shape == (3, 1)
    with pytest.raises(AttributeError, match=r"'gravity': must be one of action_space, .*, number, observation_space, render"):
        env.get_attr("gravity")


def test_nothing_goes_on_that_is_over_or_closed() -> None:
    env = Idle()
    env._going(np.zeros(3, np.bool_))
    with pytest.raises(RuntimeError, match=re.escape("environments [0, 2] are over: reset these")):
        env._going(np.array([True, False, True]))
    env.close()
    with pytest.raises(ClosedEnvironmentError):
        env._asked(None, None)
