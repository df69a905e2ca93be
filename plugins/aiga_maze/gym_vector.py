"""Many mazes as one Gymnasium vector environment, stepped as tensors: the numbers of a ``SyncVectorEnv``, but faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from torch import Tensor

from aiga.vector import CheckedVectorEnv, counted, device_of, one_each
from aiga_maze.gym_mazes import METADATA, Mazes, Which, action_space, observation_space, penalty_of


class MazeVectorEnv(CheckedVectorEnv):
    """``num_envs`` mazes whose episodes follow one another, see :class:`aiga_maze.gym_single.MazeEnv`.

    Args:
        num_envs: how many.
        maze: of all, or a sequence with one for each.
        wall_penalty, render_mode: as of the single environment.
        max_episode_steps: after which an episode is truncated; None to leave it to the maze.
        autoreset_mode: when a finished episode is followed by a new one: in the next step, in the same step, or when asked.
        device: None for NumPy arrays. Else observations, rewards (float32), terminations and truncations are new torch tensors
            on that device, where the mazes are stepped too, and actions may be; infos are always NumPy's.

    Raises:
        ValueError: for an argument that is none of these, or mazes that are not ``num_envs``.
        aiga.InputError: for a maze that is not one.
    """

    def __init__(
        self,
        num_envs: int = 1,
        maze: Which | Sequence[Which] = "L7",
        wall_penalty: float = 0.0,
        render_mode: str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        device: str | torch.device | None = None,
    ) -> None:
        num_envs = counted(num_envs)
        super().__init__(
            num_envs,
            observation_space(penalty_of(wall_penalty)),
            action_space(),
            METADATA,
            render_mode,
            max_episode_steps,
            autoreset_mode,
            tensors=device is not None,
        )
        self._arrays, self._penalty = device is None, wall_penalty
        self._device = device_of("cpu" if device is None else device)
        self._mazes = Mazes(one_each("maze", maze, num_envs), wall_penalty, self._device)
        self._seeds: list[int] | None = None
        self._over = torch.zeros(num_envs, dtype=torch.bool, device=self._device)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Starts episodes.

        Args:
            seed: of the first environment, the others counting on from it; or one for each; or None, to go on from where each
                environment's chance is.
            options: ``maze``, of all or one for each, from then on; ``reset_mask``, ``[num_envs]`` bool: only those are reset.

        Returns:
            ``[num_envs, 16]`` float32 observations, and infos.

        Raises:
            ValueError, TypeError, gymnasium.error.Error: for seeds and options that are none, see :mod:`aiga.vector`.
            ValueError: if mazes change beside a mask, or are not ``num_envs``.
            aiga.InputError: for a maze that is not one.
        """
        rows, seeds, left = self._asked(seed, options)
        if "maze" in left:
            if len(rows) < self.num_envs:
                raise ValueError("options['maze']: mazes change when all environments are reset; leave out 'reset_mask'")
            changed = Mazes(one_each("maze", left["maze"], self.num_envs), self._penalty, self._device)
            changed.take_seeds(self._mazes)
            self._mazes = changed
        if self._seeds is None:
            entropy = np.random.SeedSequence().generate_state(self.num_envs, np.uint64) >> np.uint64(1)
            self._seeds = entropy.tolist()
            self._mazes.seed(range(self.num_envs), self._seeds)
        for row, value in seeds.items():
            self._seeds[row] = value
        self._mazes.seed(list(seeds), list(seeds.values()))
        begun = torch.tensor(rows)
        infos = self._mazes.begin(begun)
        self._over[begun.to(self._device)] = False
        return self._hand(self._mazes.seen()), infos

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """One move of every environment, or a reset where the autoreset mode calls for one.

        Args:
            actions: ``[num_envs]`` integers from 0 to 3; those of environments that are reset play no part.

        Returns:
            ``[num_envs, 16]`` float32 observations; ``[num_envs]`` rewards, float64 in NumPy and float32 in tensors;
            ``[num_envs]`` bool terminations and truncations; infos, always in NumPy.

        Raises:
            ValueError: if ``actions`` are not as above; then no environment is stepped.
            RuntimeError: where an environment must be reset first.
        """
        self._open()
        moves, mode, over = self._mazes.actions_of(actions), self.autoreset_mode, self._over
        if mode is AutoresetMode.DISABLED:
            self._going(over.cpu().numpy())
        rewards, terminations = self._mazes.step(~over, moves)
        truncations = torch.zeros_like(terminations)
        if self.max_episode_steps is not None:
            truncations = ~over & (self._mazes.elapsed >= self.max_episode_steps)
        ended = terminations | truncations
        infos: dict[str, Any] = {}
        if mode is AutoresetMode.SAME_STEP:
            infos, over = self._final(ended), ended
        if mode is not AutoresetMode.DISABLED and bool(over.any()):
            infos |= self._mazes.begin(torch.nonzero(over).flatten().cpu())
        self._over = torch.zeros_like(ended) if mode is AutoresetMode.SAME_STEP else ended
        hand = self._hand
        return hand(self._mazes.seen()), hand(rewards, np.float64), hand(terminations), hand(truncations), infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """``[240, 240, 3]`` of each environment, in ``rgb_array`` mode."""
        return self._mazes.frames() if self.render_mode else None

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment; -1 where there is none yet."""
        return tuple(self._seeds or [-1] * self.num_envs)

    def _attributes(self) -> dict[str, Callable[[], Sequence[Any]]]:
        return {"maze": lambda: self._mazes.mazes, "np_random_seed": lambda: self.np_random_seed}

    def set_attr(self, name: str, values: Any) -> None:
        """Refuses: nothing of a running environment can be set.

        Raises:
            AttributeError: always, saying how mazes and seeds are changed.
        """
        raise AttributeError(f"{name!r} cannot be set: give reset() a seed, or mazes as options={{'maze': ...}}")

    def _hand(self, tensor: Tensor, dtype: type[np.generic] | None = None) -> Any:
        if not self._arrays:
            return tensor
        array = tensor.numpy()
        return array if dtype is None else array.astype(dtype)

    def _final(self, ended: Tensor) -> dict[str, Any]:
        """What Gymnasium tells of episodes that end in the step in which the next begins."""
        if not bool(ended.any()):
            return {}
        some, last = ended.cpu().numpy(), self._mazes.seen().cpu().numpy()
        final = np.full(self.num_envs, None, object)
        for row in np.flatnonzero(some).tolist():
            final[row] = last[row].copy()
        return {"final_obs": final, "_final_obs": some, "final_info": {}, "_final_info": some.copy()}
