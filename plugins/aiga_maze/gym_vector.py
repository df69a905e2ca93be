"""Many mazes as one Gymnasium vector environment, stepped as tensors: the numbers of a ``SyncVectorEnv``, but faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from gymnasium.error import ClosedEnvironmentError, Error
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from aiga_maze.gym_mazes import METADATA, Mazes, Which, action_space, checked, device_of, observation_space

_MODES: Final = ", ".join(repr(mode.value) for mode in AutoresetMode)
_SHARED: Final = ("render_mode", "metadata", "spec", "max_episode_steps")  # attributes that are the same for all


class MazeVectorEnv(VectorEnv[Any, Any, Any]):
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
        if not isinstance(num_envs, int) or num_envs < 1:
            raise ValueError(f"num_envs {num_envs!r}: must be an int of 1 or more")
        if max_episode_steps is not None and not (isinstance(max_episode_steps, int) and max_episode_steps >= 1):
            raise ValueError(f"max_episode_steps {max_episode_steps!r}: must be an int of 1 or more, or None for no limit")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            raise ValueError(f"autoreset_mode {autoreset_mode!r}: must be one of {_MODES}") from error
        self.render_mode = checked(render_mode, wall_penalty)
        self._device, self._arrays = device_of(device), device is None
        self.num_envs, self.max_episode_steps = num_envs, max_episode_steps
        self.metadata = {**METADATA, "autoreset_mode": self.autoreset_mode, **({} if self._arrays else {"torch": True})}
        self.single_observation_space, self.single_action_space = observation_space(wall_penalty), action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._penalty = wall_penalty
        self._mazes = Mazes(self._each(maze), wall_penalty, self._device)
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
            ValueError: if the seeds are not ``num_envs``, or the mask has another length, or nothing true; or mazes change
                beside a mask.
            TypeError: if the mask is not a bool array.
            gymnasium.error.Error: for a seed that is not an int of 0 or more.
        """
        self._open()
        seeds, options = self._seeds_of(seed), dict(options or {})
        rows = self._mask(options["reset_mask"]) if "reset_mask" in options else np.ones(self.num_envs, np.bool_)
        if "maze" in options:
            if not rows.all():
                raise ValueError("options['maze']: mazes change when all environments are reset; leave out 'reset_mask'")
            changed = Mazes(self._each(options["maze"]), self._penalty, self._device)
            changed.take_seeds(self._mazes)
            self._mazes = changed
        if self._seeds is None:
            entropy = np.random.SeedSequence().generate_state(self.num_envs, np.uint64) >> np.uint64(1)
            self._seeds = entropy.tolist()
            self._mazes.seed(range(self.num_envs), self._seeds)
        drawn = {row: seeds[row] for row in np.flatnonzero(rows).tolist() if seeds[row] is not None}
        for row, value in drawn.items():
            self._seeds[row] = value  # type: ignore[assignment]
        if drawn:
            self._mazes.seed(list(drawn), [value for value in drawn.values() if value is not None])
        infos = self._mazes.begin(torch.from_numpy(np.flatnonzero(rows)))
        self._over = self._over & ~torch.from_numpy(rows).to(self._device)
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
        if mode is AutoresetMode.DISABLED and bool(over.any()):
            raise RuntimeError(
                f"the episodes of environments {torch.nonzero(over).flatten().tolist()} are over: "
                "reset these, with options['reset_mask'], before the next step"
            )
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

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Of each environment an attribute, or for ``render`` a frame; no environment has other methods.

        Raises:
            AttributeError: for a name that there is not.
        """
        if name == "render":
            return self.render() or (None,) * self.num_envs
        values: dict[str, Any] = {shared: (getattr(self, shared),) * self.num_envs for shared in _SHARED}
        values["observation_space"] = (self.single_observation_space,) * self.num_envs
        values["action_space"] = (self.single_action_space,) * self.num_envs
        values["maze"], values["np_random_seed"] = tuple(self._mazes.mazes), self.np_random_seed
        if name not in values:
            raise AttributeError(f"{name!r}: must be one of {', '.join(sorted(values))}")
        return tuple(values[name])

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Of each environment an attribute, such as ``maze``; see :meth:`call`."""
        return self.call(name)

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

    def _each(self, maze: Any) -> list[Which]:
        mazes = [maze] * self.num_envs if isinstance(maze, (str, Mapping)) else list(maze)
        if len(mazes) != self.num_envs:
            raise ValueError(f"maze: {len(mazes)} mazes for {self.num_envs} environments; give one for all, or one for each")
        return mazes

    def _open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("the environment is closed: make a new one")

    def _seeds_of(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        single = isinstance(seed, (int, np.integer))
        seeds = [int(seed) + row for row in range(self.num_envs)] if single else list(seed)  # type: ignore[arg-type]
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed: {len(seeds)} seeds for {self.num_envs} environments; give one int, or one for each")
        for value in seeds:
            if value is not None and (not isinstance(value, (int, np.integer)) or value < 0):
                raise Error(f"seed {value!r}: must be an int greater or equal to zero, or None")
        return [None if value is None else int(value) for value in seeds]

    def _mask(self, mask: Any) -> NDArray[np.bool_]:
        mask = mask.cpu().numpy() if isinstance(mask, Tensor) else mask
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] {mask!r}: must be a bool array of shape ({self.num_envs},)")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"options['reset_mask'] {mask!r}: must be a bool array of shape ({self.num_envs},) with at least one True"
            )
        return mask
