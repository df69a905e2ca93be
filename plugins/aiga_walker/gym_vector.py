"""Batches of walkers as Gymnasium vector environments: bit for bit what ``SyncVectorEnv`` makes of single ones, but faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gymnasium.vector import AutoresetMode

from aiga.vector import counted, one_each
from aiga_walker.gym_autoreset import AutoresetEnv
from aiga_walker.gym_courses import GymnasiumCourses, OwnCourses
from aiga_walker.gym_physics import Name, Physics, physics_of

if TYPE_CHECKING:
    import torch

    from aiga_walker.env import Lidar


class WalkerVectorEnv(AutoresetEnv):
    """``num_envs`` walkers on courses of one's own, see :class:`aiga_walker.gym_single.WalkerEnv`.

    Args:
        num_envs: how many.
        course: of all, or a sequence with one for each.
        lidar, render_mode, physics: as of the single environment.
        max_episode_steps: after which an episode is truncated; None for never.
        autoreset_mode: when a finished episode is followed by a new one: in the next step, in the same step, or when asked.
        threads: how many work on a step of the compiled simulator, without changing a bit; None for as many as there are cores.
        device: None for NumPy arrays. Else observations, rewards (float32), terminations and truncations are torch tensors, and
            actions may be. They share the simulator's own memory: the next step or reset overwrites them, so clone what is
            kept, as with ``copy=False`` of Gymnasium's. On ``"cuda"`` the compiled simulator runs there and nothing but which
            episodes are over is read back; Box2D runs on the host, and its tensors are copied there.

    Raises:
        ValueError: for an argument that is none of these, or courses that are not ``num_envs``.
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
        physics: Name = "fast",
        threads: int | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        num_envs = counted(num_envs)
        own = OwnCourses(one_each("course", course, num_envs))

        def moved() -> Physics:
            return physics_of(physics, num_envs, lidar, threads, device)

        super().__init__(num_envs, own, moved, render_mode, max_episode_steps, autoreset_mode, device)


class BipedalVectorEnv(AutoresetEnv):
    """``num_envs`` walkers of ``BipedalWalker-v3`` in the compiled simulator, see :class:`aiga_walker.gym_single.BipedalEnv`.

    Args:
        num_envs: how many.
        render_mode: ``rgb_array`` or None.
        hardcore: with stumps, stairs and pits.
        max_episode_steps, autoreset_mode, threads, device: as of :class:`WalkerVectorEnv`.

    Raises:
        ValueError: for an argument that is none of these.
    """

    def __init__(
        self,
        num_envs: int = 1,
        render_mode: str | None = None,
        hardcore: bool = False,
        max_episode_steps: int | None = 1600,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        threads: int | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        num_envs = counted(num_envs)

        def moved() -> Physics:
            return physics_of("fast", num_envs, threads=threads, device=device)

        super().__init__(num_envs, GymnasiumCourses(hardcore), moved, render_mode, max_episode_steps, autoreset_mode, device)
