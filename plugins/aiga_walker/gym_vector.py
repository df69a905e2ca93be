"""``aiga/Walker-v0`` as a vector environment: bit for bit what ``SyncVectorEnv`` makes of the single one, with less between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from aiga_walker.env import Lidar
from aiga_walker.gym_single import WalkerEnv
from aiga_walker.lives import OBSERVATIONS

Observations = NDArray[np.float32]
Flags = NDArray[np.bool_]


class WalkerVectorEnv(VectorEnv[Observations, NDArray[np.float32], NDArray[Any]]):
    """``num_envs`` walkers, stepped one after the other.

    Args:
        num_envs: how many.
        course: of all, or a sequence with one for each; see :class:`WalkerEnv`.
        lidar, render_mode: as of :class:`WalkerEnv`.
        max_episode_steps: after which an episode is truncated; None for never.
        autoreset_mode: when a finished episode is followed by a new one: in the next step, in the same step, or when asked.

    Raises:
        ValueError: if the courses are not ``num_envs``, or there would be no environment or no step.
        aiga.InputError: for a course that is not one.
    """

    def __init__(
        self,
        num_envs: int = 1,
        course: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = "flat",
        lidar: Lidar = "nearest",
        render_mode: str | None = None,
        max_episode_steps: int | None = 2000,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    ) -> None:
        courses = [course] * num_envs if isinstance(course, (str, Mapping)) else list(course)
        if num_envs < 1 or (max_episode_steps is not None and max_episode_steps < 1):
            raise ValueError(f"num_envs {num_envs} and max_episode_steps {max_episode_steps} must be 1 or more")
        if len(courses) != num_envs:
            raise ValueError(f"{len(courses)} courses for {num_envs} environments: give one for all, or one for each")
        self.num_envs = num_envs
        self.envs = [WalkerEnv(each, lidar, render_mode) for each in courses]
        self.render_mode = render_mode
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**WalkerEnv.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_observation_space = self.envs[0].observation_space
        self.single_action_space = self.envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._limit = max_episode_steps
        self._observations = np.zeros((num_envs, OBSERVATIONS), np.float32)
        self._elapsed = [0] * num_envs
        self._over = np.zeros(num_envs, np.bool_)

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The random generator of each environment."""
        return tuple(env.np_random for env in self.envs)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment's generator; -1 where it is not known."""
        return tuple(env.np_random_seed for env in self.envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Starts episodes.

        Args:
            seed: of the first environment, the others counting on from it; or one for each.
            options: for each reset; with ``reset_mask``, ``[num_envs]`` bool, only those environments are reset.

        Raises:
            ValueError: if the seeds are not ``num_envs``, or the mask is not a ``[num_envs]`` bool array with one true.
        """
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else list(seed or [None] * self.num_envs)
        if len(seeds) != self.num_envs:
            raise ValueError(f"{len(seeds)} seeds for {self.num_envs} environments")
        chosen = np.ones(self.num_envs, np.bool_)
        if options is not None and "reset_mask" in options:
            chosen = options["reset_mask"]
            if (
                not isinstance(chosen, np.ndarray)
                or chosen.dtype != np.bool_
                or chosen.shape != (self.num_envs,)
                or not chosen.any()
            ):
                raise ValueError(
                    f"options['reset_mask'] must be a bool array of shape ({self.num_envs},) with at least one True"
                )
            options = {name: value for name, value in options.items() if name != "reset_mask"}
        infos: dict[str, Any] = {}
        for row in np.flatnonzero(chosen).tolist():
            infos = self._add_info(infos, self._begin(row, seeds[row], options), row)
        return self._observations.copy(), infos

    def step(self, actions: NDArray[np.float32]) -> tuple[Observations, NDArray[np.float64], Flags, Flags, dict[str, Any]]:
        """One step of every environment, or a reset where the autoreset mode calls for one.

        Raises:
            ValueError: if ``actions`` are not ``[num_envs, 4]``.
            RuntimeError: where an environment must be reset first.
        """
        if np.shape(actions) != self.action_space.shape:
            raise ValueError(f"actions of shape {self.action_space.shape} are wanted, found {np.shape(actions)}")
        rewards = np.zeros(self.num_envs, np.float64)
        terminations, truncations = np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        infos: dict[str, Any] = {}
        mode, limit = self.autoreset_mode, self._limit
        if mode is AutoresetMode.DISABLED and self._over.any():
            raise RuntimeError(
                "an environment whose episode is over must be reset, with options['reset_mask'], before the next step"
            )
        over = self._over.tolist()
        for row, env in enumerate(self.envs):
            if over[row]:
                infos = self._add_info(infos, self._begin(row), row)
                continue
            observation, reward, terminated, truncated, info = env.walker.step(actions[row])
            self._elapsed[row] += 1
            truncated = truncated or (limit is not None and self._elapsed[row] >= limit)
            self._observations[row] = observation
            rewards[row], terminations[row], truncations[row] = reward, terminated, truncated
            if (terminated or truncated) and mode is AutoresetMode.SAME_STEP:
                infos = self._add_info(infos, {"final_obs": observation, "final_info": info}, row)
                info = self._begin(row)
            if info:
                infos = self._add_info(infos, info, row)
        self._over = (terminations | truncations) if mode is not AutoresetMode.SAME_STEP else np.zeros(self.num_envs, np.bool_)
        return self._observations.copy(), rewards, terminations, truncations, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """A frame of each environment, in ``rgb_array`` mode."""
        frames = (env.render() for env in self.envs)
        return tuple(frame for frame in frames if frame is not None) if self.render_mode else None

    def close_extras(self, **kwargs: Any) -> None:
        """Frees the worlds."""
        for env in self.envs:
            env.close()

    def _begin(self, row: int, seed: int | None = None, options: dict[str, Any] | None = None) -> dict[str, Any]:
        self._observations[row], info = self.envs[row].reset(seed=seed, options=options)
        self._elapsed[row] = 0
        self._over[row] = False
        return info
