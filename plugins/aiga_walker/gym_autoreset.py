"""What all batches of walkers are: a vector environment with seeds, time limit, autoreset and infos as in ``SyncVectorEnv``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from gymnasium.error import ClosedEnvironmentError
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from aiga_walker.gym_courses import Courses, OwnCourses
from aiga_walker.gym_memory import handing, whole
from aiga_walker.gym_physics import Physics
from aiga_walker.gym_walkers import ACTIONS, METADATA, Walkers, action_space, checked, observation_space

_MODES: Final = ", ".join(repr(mode.value) for mode in AutoresetMode)
_SHARED: Final = ("render_mode", "metadata", "spec", "max_episode_steps")  # attributes that are the same for all


class AutoresetEnv(VectorEnv[Any, Any, Any]):
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
        if max_episode_steps is not None and not whole(max_episode_steps, 1):
            raise ValueError(f"max_episode_steps {max_episode_steps!r}: must be an int of 1 or more, or None for no limit")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            raise ValueError(f"autoreset_mode {autoreset_mode!r}: must be one of {_MODES}") from error
        self.render_mode = checked(render_mode)
        self.num_envs, self.max_episode_steps = num_envs, max_episode_steps
        self.metadata = {**METADATA, "autoreset_mode": self.autoreset_mode}
        self._hand = handing(device)
        if device is not None:
            self.metadata["torch"] = True
        self.single_observation_space, self.single_action_space = observation_space(), action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
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
            ValueError: if the seeds are not ``num_envs``, or the mask has another length, or nothing true.
            TypeError: if the mask is not a bool array.
            gymnasium.error.Error: for a seed that is not an int of 0 or more.
        """
        self._open()
        seeds = self._seeds_of(seed)
        if options is not None and not isinstance(options, Mapping):
            raise ValueError(f"options {options!r}: must be a dict, or None")
        options = dict(options or {})
        rows = np.flatnonzero(self._mask(options.pop("reset_mask"))).tolist() if "reset_mask" in options else self._all()
        drawn = {row: seeding.np_random(seeds[row]) for row in rows if seeds[row] is not None}
        self._walkers.courses.choose(rows, options)
        for row, (rng, said) in drawn.items():
            self._rngs[row], self._seeds[row] = rng, said
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
        elif mode is AutoresetMode.DISABLED and over.any():
            raise RuntimeError(
                f"the episodes of environments {np.flatnonzero(over).tolist()} are over: "
                "reset these, with options['reset_mask'], before the next step"
            )
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

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Of each environment an attribute, or for ``render`` a frame; no environment has other methods.

        Raises:
            AttributeError: for a name that there is not.
        """
        if name == "render":
            return self.render() or (None,) * self.num_envs
        values: dict[str, Any] = {name: (getattr(self, name),) * self.num_envs for name in _SHARED}
        values["observation_space"] = (self.single_observation_space,) * self.num_envs
        values["action_space"] = (self.single_action_space,) * self.num_envs
        values["terrain"] = tuple(self._walkers.terrains)
        if isinstance(self._walkers.courses, OwnCourses):
            values["course"] = tuple(self._walkers.courses.courses)
        if name in ("np_random", "np_random_seed"):
            return tuple(getattr(self, name))
        if name not in values:
            raise AttributeError(f"{name!r}: must be one of {', '.join(sorted([*values, 'np_random', 'np_random_seed']))}")
        return tuple(values[name])

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Of each environment an attribute, such as ``terrain``; see :meth:`call`."""
        return self.call(name)

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

    def _open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError("the environment is closed: make a new one")

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

    def _seeds_of(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + row for row in self._all()]
        if not isinstance(seed, (list, tuple, np.ndarray)) or np.ndim(seed) != 1:
            raise ValueError(f"seed {seed!r}: must be one int, a list with an int or None for each environment, or None")
        seeds = [int(each) if isinstance(each, np.integer) else each for each in seed]
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed: {len(seeds)} seeds for {self.num_envs} environments; give one int, or one for each")
        return seeds

    def _mask(self, mask: Any) -> NDArray[np.bool_]:
        mask = mask.cpu().numpy() if hasattr(mask, "detach") else mask
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] {mask!r}: must be a bool array of shape ({self.num_envs},)")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"options['reset_mask'] {mask!r}: must be a bool array of shape ({self.num_envs},) with at least one True"
            )
        return mask
