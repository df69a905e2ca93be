"""``N`` walkers as Gymnasium's environments have them, with neither time limit nor autoreset: courses, physics, pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from aiga_walker.draw import Scene
from aiga_walker.gym_courses import Courses
from aiga_walker.gym_physics import Flags, Floats, Physics, Rows
from aiga_walker.lives import ACTIONS
from aiga_walker.terrain import Packed, Terrain

METADATA: Final[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 50}
_SOME: Final = 256  # walkers begun at a time
_LEG: Final = (math.pi, 5.0, math.pi, 5.0)
_HIGH: Final = (math.pi, 5.0, 5.0, 5.0, *_LEG, 5.0, *_LEG, 5.0, *[1.0] * 10)


def observation_space() -> gymnasium.Space[Floats]:
    """Of ``BipedalWalker-v3``: hull, legs and their contact with the ground, ten lidar rays."""
    high = np.array(_HIGH, np.float32)
    low = -high
    low[[8, 13]] = 0.0
    return gymnasium.spaces.Box(low, high)


def action_space() -> gymnasium.Space[Floats]:
    """Of ``BipedalWalker-v3``: what is asked of hip, knee, hip, knee."""
    return gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)


class Walkers:
    """``N`` walkers, begun and stepped in any groups.

    Args:
        count: ``N``.
        courses: where their courses come from.
        physics: what moves them.

    Attributes:
        seen: ``[N, 24]`` float32, the latest observations, always the same array, or tensor on the physics' device.
        memory: where the physics' arrays lie.
    """

    def __init__(self, count: int, courses: Courses, physics: Physics) -> None:
        self.courses, self._physics = courses, physics
        self.seen, self.memory = physics.seen, physics.memory
        # Thousands of walkers have a course each, which is looked at now and then.
        self._ground: list[Packed | None] = [None] * count
        self._begun = np.zeros(count, np.bool_)
        self._scenes: dict[int, Scene] = {}

    @property
    def terrains(self) -> list[Terrain | None]:
        """The ground of each walker; None before its first episode."""
        return [None if ground is None else ground.terrain() for ground in self._ground]

    def begin(self, rows: Sequence[int], rngs: Sequence[np.random.Generator]) -> list[dict[str, Any]]:
        """New episodes in ``rows``, from the random numbers of each; what each tells in ``info``."""
        infos = []
        # A few at a time: a terrain as Python's numbers is ten times as large as what is kept of it.
        for first in range(0, len(rows), _SOME):
            some = rows[first : first + _SOME]
            starts = self.courses.draw(some, rngs[first : first + _SOME])
            self._physics.begin(some, [start.terrain for start in starts], [start.push for start in starts])
            for row, start in zip(some, starts, strict=True):
                self._ground[row] = Packed.of(start.terrain)
                self._scenes.pop(row, None)
            infos += [start.info for start in starts]
        self._begun[rows] = True
        return infos

    def step(self, rows: Rows, actions: Any, void: Flags) -> tuple[Any, Any]:
        """One step, of 1/50 s, of ``rows`` with ``[N, 4]`` actions: their rewards, and which episodes it ended.

        Args:
            rows: which.
            actions: of all, in ``memory``.
            void: ``[N]`` which of all actions are not numbers.

        Raises:
            ResetNeeded: if an episode was never begun.
            ValueError: if an action of ``rows`` is not a number; then none is stepped.
        """
        self.ready()
        wrong = np.asarray(rows)[void[rows]]
        if len(wrong):
            raise ValueError(
                f"actions of environments {wrong.tolist()} are not numbers (NaN): "
                "none was stepped; give numbers, which are clipped to [-1, 1]"
            )
        return self._physics.step(rows, actions[self.memory.rows(rows)])

    def ready(self) -> None:
        """Raises ``ResetNeeded`` where an episode was never begun."""
        if not self._begun.all():
            raise ResetNeeded("call reset() first: not every environment has begun an episode")

    def frames(self) -> tuple[NDArray[np.uint8], ...]:
        """``[240, 400, 3]`` of each walker, where it is."""
        self.ready()
        poses = self._physics.poses().tolist()
        for row, ground in enumerate(self._ground):
            if row not in self._scenes and ground is not None:
                self._scenes[row] = Scene(ground.terrain())
        return tuple(self._scenes[row].frame(pose) for row, pose in enumerate(poses))

    def close(self) -> None:
        """Frees the worlds; a new episode must begin before the next step."""
        self._begun[:] = False
        self._scenes.clear()
        self._physics.close()
