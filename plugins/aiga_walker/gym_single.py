"""Single walkers as Gymnasium environments: on courses of one's own, or ``BipedalWalker-v3`` in the compiled simulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from aiga.vector import rendered
from aiga_walker.gym_courses import Courses, GymnasiumCourses, OwnCourses
from aiga_walker.gym_physics import Name, Physics, physics_of
from aiga_walker.gym_walkers import METADATA, Walkers, action_space, observation_space
from aiga_walker.lives import ACTIONS

if TYPE_CHECKING:
    from aiga_walker.env import Lidar
    from aiga_walker.terrain import Terrain


class _SingleEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """One walker."""

    metadata = METADATA

    def __init__(self, courses: Courses, physics: Callable[[], Physics], render_mode: str | None) -> None:
        self.render_mode = rendered(render_mode, METADATA)
        self.observation_space, self.action_space = observation_space(), action_space()
        self._walkers = Walkers(1, courses, physics())

    @property
    def terrain(self) -> Terrain | None:
        """The ground of the latest episode; None before the first."""
        return self._walkers.terrains[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts an episode on a course drawn anew: ``[24]`` float32, and ``info``."""
        super().reset(seed=seed)
        self._walkers.courses.choose([0], options or {})
        (info,) = self._walkers.begin([0], [self.np_random])
        return self._walkers.seen[0].copy(), info

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One step of 1/50 s.

        Args:
            action: ``[4]``, clipped to [-1, 1].

        Raises:
            ValueError: if the action is not four numbers.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        actions = self._walkers.memory.actions(action, (ACTIONS,))[None]
        rewards, over = self._walkers.step([0], actions, np.isnan(actions).any(1))
        return self._walkers.seen[0].copy(), float(rewards[0]), bool(over[0]), False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """``[240, 400, 3]``: the walker where it is, in ``rgb_array`` mode."""
        return self._walkers.frames()[0] if self.render_mode else None

    def close(self) -> None:
        """Frees the world."""
        self._walkers.close()


class WalkerEnv(_SingleEnv):
    """Spaces, rewards and physics of ``BipedalWalker-v3``, on a course of one's own.

    A reset draws the terrain, unless the course has a ``seed``, and the start push; ``info["terrain_seed"]`` says which terrain
    it is. ``reset(options={"course": ...})`` changes the course from then on.

    Args:
        course: a name of :data:`aiga_walker.courses.NAMES`, or a genome: any of ``roughness``, ``gap``, ``stump``, ``stair``,
            ``stair_steps`` and ``seed``.
        lidar: ``nearest`` hit, or ``first-hit`` as in the original POET, which takes ``box2d``.
        physics: ``fast``, the compiled simulator, or ``box2d``; the two give the same bits.
        render_mode: ``rgb_array`` or None.

    Raises:
        ValueError: for an argument that is none of these.
        aiga.InputError: for an unknown name, or a genome that is not one.
    """

    def __init__(
        self,
        course: str | Mapping[str, Any] = "flat",
        lidar: Lidar = "nearest",
        render_mode: str | None = None,
        physics: Name = "fast",
    ) -> None:
        super().__init__(OwnCourses([course]), lambda: physics_of(physics, 1, lidar), render_mode)


class BipedalEnv(_SingleEnv):
    """``BipedalWalker-v3`` in the compiled simulator.

    Of a seed it has the courses and start pushes that Gymnasium's own has, of later episodes too, and with the same actions the
    same observations and rewards, to the bit, where Gymnasium's is given a new Box2D world for each episode; by itself that
    keeps one world, whose second episode depends on what the first left in its lists.

    Args:
        render_mode: ``rgb_array`` or None.
        hardcore: with stumps, stairs and pits.

    Raises:
        ValueError: for another render mode.
    """

    def __init__(self, render_mode: str | None = None, hardcore: bool = False) -> None:
        self.hardcore = hardcore
        super().__init__(GymnasiumCourses(hardcore), lambda: physics_of("fast", 1), render_mode)
