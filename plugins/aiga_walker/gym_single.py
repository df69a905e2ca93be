"""``aiga/Walker-v0``: a walker on a POET course, as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import gymnasium
import numpy as np
import torch
from gymnasium.envs.box2d import bipedal_walker
from numpy.typing import NDArray

from aiga_walker.courses import Course, course_of
from aiga_walker.draw import Scene
from aiga_walker.env import PUSH, CourseWalker, Lidar
from aiga_walker.terrain import Terrain, terrains

SEEDS: Final = 2**62  # terrain seeds are drawn below


class WalkerEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """Spaces, rewards and physics of ``BipedalWalker-v3``, on a course of one's own.

    A reset draws the terrain, unless the course has a ``seed``, and the start push; ``info["terrain_seed"]`` says which terrain
    it is. ``reset(options={"course": ...})`` changes the course from then on.

    Args:
        course: a name of :data:`aiga_walker.courses.NAMES`, or a genome: any of ``roughness``, ``gap``, ``stump``, ``stair``,
            ``stair_steps`` and ``seed``.
        lidar: ``nearest`` hit, or ``first-hit`` as in the original POET.
        render_mode: ``rgb_array`` or None.

    Raises:
        aiga.InputError: for an unknown name, or a genome that is not one.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": bipedal_walker.FPS}  # noqa: RUF012

    def __init__(
        self, course: str | Mapping[str, Any] = "flat", lidar: Lidar = "nearest", render_mode: str | None = None
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode {render_mode!r}: must be None or 'rgb_array'")
        self.render_mode = render_mode
        self.walker = CourseWalker(lidar)
        self.observation_space = self.walker.observation_space
        self.action_space = self.walker.action_space
        self._course: Course = course_of(course)
        self._terrain: Terrain | None = None
        self._scene: Scene | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts an episode on a course drawn anew."""
        super().reset(seed=seed)
        if options and "course" in options:
            self._course = course_of(options["course"])
        drawn = int(self.np_random.integers(SEEDS))
        terrain_seed = drawn if self._course.seed is None else self._course.seed
        self._terrain = terrains(self._course.rows(torch.tensor([terrain_seed])))[0]
        self._scene = None
        observation = self.walker.begin(self._terrain, self.np_random.uniform(-PUSH, PUSH))
        return observation, {"terrain_seed": terrain_seed}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One step of 1/50 s."""
        observation, reward, terminated, truncated, info = self.walker.step(action)
        return observation, float(reward), terminated, truncated, info

    def render(self) -> NDArray[np.uint8] | None:
        """``[240, 400, 3]``: the walker where it is, in ``rgb_array`` mode."""
        if self.render_mode is None or self._terrain is None:
            return None
        self._scene = self._scene or Scene(self._terrain)
        return self._scene.frame(self.walker.poses())

    def close(self) -> None:
        """Frees the world."""
        self.walker.end()
