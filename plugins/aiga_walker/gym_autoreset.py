"""What all batches of walkers are: a vector environment with seeds, time limit, autoreset and infos as in ``SyncVectorEnv``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from aiga.vector import CheckedVectorEnv
from aiga_walker.gym_courses import Courses, OwnCourses
from aiga_walker.gym_memory import handing
from aiga_walker.gym_physics import Physics
from aiga_walker.gym_walkers import METADATA, Walkers, action_space, observation_space
from aiga_walker.lives import ACTIONS


class AutoresetEnv(CheckedVectorEnv):
    """``N`` walkers whose episodes follow one another.

    Args:
        num_envs: ``N``.
        courses: of the walkers.
        physics: makes what moves them, once all else is found in order: compiling can take half a minute.
        render_mode: ``rgb_array`` or None.
        max_episode_steps: after which an episode is truncated; None for never.
        autoreset_mode: when a finished episode is followed by a new one: in the next step, in the same step, or when asked.
        device: None for NumPy copies; else where the tensors are, see :func:`aiga_walker.gym_memory.handing`.

    Raises:
        ValueError: for an argument that is none of these.
    """

    def __init__(
        self,
        num_envs: int,
        courses: Courses,
        physics: Callable[[], Physics],
        render_mode: str | None,
        max_episode_steps: int | None,
        autoreset_mode: str | AutoresetMode,
        device: Any,
    ) -> None:
        super().__init__(
            num_envs,
            observation_space(),
            action_space(),
            METADATA,
            render_mode,
            max_episode_steps,
            autoreset_mode,
            tensors=device is not None,
        )
        self._hand = handing(device)
        self._walkers = Walkers(num_envs, courses, physics())
        self._rngs: list[np.random.Generator | None] = [None] * num_envs
        self._seeds: list[int] = [-1] * num_envs
        self._memory = memory = self._walkers.memory
        self._rewards = memory.zeros(num_envs, "float64" if device is None else "float32")
        self._terminations, self._truncations = memory.zeros(num_envs, "bool"), memory.zeros(num_envs, "bool")
        self._elapsed = memory.zeros(num_envs, "int64")

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts episodes.

        Args:
            seed: of the first environment, the others counting on from it; or one for each; or None, to draw on from where
                each environment's random numbers are.
            options: for each reset; with ``reset_mask``, ``[num_envs]`` bool, only those environments are reset.

        Returns:
            ``[num_envs, 24]`` float32 observations, and infos.

        Raises:
            ValueError, TypeError, gymnasium.error.Error: for seeds and options that are none, see :mod:`aiga.vector`.
        """
        rows, seeds, left = self._asked(seed, options)
        self._walkers.courses.choose(rows, left)
        for row, value in seeds.items():
            self._rngs[row], self._seeds[row] = seeding.np_random(value)
        infos = self._begin(rows, {})
        self._terminations[rows] = self._truncations[rows] = False
        return self._hand(self._walkers.seen), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One step of every environment, or a reset where the autoreset mode calls for one.

        Args:
            actions: ``[num_envs, 4]``, as float32, clipped to [-1, 1]; those of environments that are reset are not looked at.

        Returns:
            ``[num_envs, 24]`` float32 observations; ``[num_envs]`` rewards, float64 in NumPy and float32 in tensors;
            ``[num_envs]`` bool terminations and truncations; infos, always in NumPy.

        Raises:
            ValueError: if ``actions`` are not ``[num_envs, 4]`` numbers; then no environment is stepped.
            RuntimeError: where an environment must be reset first.
        """
        self._open()
        memory, mode = self._memory, self.autoreset_mode
        actions = memory.actions(actions, (self.num_envs, ACTIONS))
        over, void = memory.flags(self._terminations | self._truncations, (actions != actions).any(1))
        if mode is AutoresetMode.SAME_STEP:
            over = np.zeros_like(over)
        elif mode is AutoresetMode.DISABLED:
            self._going(over)
        stepped = np.flatnonzero(~over)
        rewards, terminations = self._walkers.step(stepped, actions, void)
        rows = memory.rows(stepped)
        self._elapsed[rows] += 1
        self._rewards[:], self._terminations[:], self._truncations[:] = 0.0, False, False
        self._rewards[rows], self._terminations[rows] = rewards, terminations
        if self.max_episode_steps is not None:
            self._truncations[rows] = self._elapsed[rows] >= self.max_episode_steps
        infos: dict[str, Any] = {}
        if mode is AutoresetMode.SAME_STEP:
            (over,) = memory.flags(self._terminations | self._truncations)
            ended = np.flatnonzero(over)
            for row, seen in zip(ended.tolist(), memory.copied(self._walkers.seen[memory.rows(ended)]), strict=True):
                infos = self._add_info(infos, {"final_obs": seen, "final_info": {}}, row)
        infos = self._begin(np.flatnonzero(over).tolist(), infos)
        hand = self._hand
        return hand(self._walkers.seen), hand(self._rewards), hand(self._terminations), hand(self._truncations), infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """``[240, 400, 3]`` of each environment, in ``rgb_array`` mode."""
        return self._walkers.frames() if self.render_mode else None

    def close_extras(self, **kwargs: Any) -> None:
        """Frees the worlds."""
        self._walkers.close()

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The random generator of each environment."""
        return tuple(self._rng(row) for row in self._all())

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment's generator; -1 where it is not known."""
        for row in self._all():
            self._rng(row)
        return tuple(self._seeds)

    def _attributes(self) -> dict[str, Callable[[], Sequence[Any]]]:
        walkers, courses = self._walkers, self._walkers.courses
        own: dict[str, Callable[[], Sequence[Any]]] = {
            "terrain": lambda: walkers.terrains,
            "np_random": lambda: self.np_random,
            "np_random_seed": lambda: self.np_random_seed,
        }
        return {**own, "course": lambda: courses.courses} if isinstance(courses, OwnCourses) else own

    def set_attr(self, name: str, values: Any) -> None:
        """Sets ``np_random``, or the ``course`` from the next reset on where environments have courses of their own.

        Args:
            name: which.
            values: a list or tuple with one for each environment, or one for all.

        Raises:
            AttributeError: for another name.
            ValueError: if the values are not ``num_envs``.
        """
        courses = self._walkers.courses
        able = ("np_random", "course") if isinstance(courses, OwnCourses) else ("np_random",)
        if name not in able:
            raise AttributeError(f"{name!r} cannot be set: only {' and '.join(able)} can")
        each = list(values) if isinstance(values, (list, tuple)) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(
                f"{len(each)} values of {name!r} for {self.num_envs} environments: give one for all, or one for each"
            )
        if name == "np_random" and not all(isinstance(rng, np.random.Generator) for rng in each):
            raise ValueError(f"np_random {values!r}: must be a numpy.random.Generator, or a list of them")
        if isinstance(courses, OwnCourses) and name == "course":
            courses.courses[:] = OwnCourses(each).courses
        else:
            self._rngs, self._seeds = each, [-1] * self.num_envs

    def _all(self) -> list[int]:
        return list(range(self.num_envs))

    def _rng(self, row: int) -> np.random.Generator:
        rng = self._rngs[row]
        if rng is None:
            rng, self._seeds[row] = seeding.np_random()
            self._rngs[row] = rng
        return rng

    def _begin(self, rows: list[int], infos: dict[str, Any]) -> dict[str, Any]:
        if not rows:
            return infos
        self._elapsed[rows] = 0
        for row, info in zip(rows, self._walkers.begin(rows, [self._rng(row) for row in rows]), strict=True):
            infos = self._add_info(infos, info, row)
        return infos
