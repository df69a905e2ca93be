"""One walker's life in Box2D: Gymnasium's ``BipedalWalker`` on a given course, its physics untouched.

What differs from Gymnasium: the ground is given, not drawn; the start push is given; every episode has a world of its own,
because a reused ``b2World`` recycles ids and so changes the order of contacts (POET makes a new one too); no clouds are
drawn; and the lidar can be made to report the first fixture met instead of the nearest, as gym's ``BipedalWalker-v2`` did.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal, get_args

import Box2D
import numpy as np
import torch
from gymnasium.envs.box2d import bipedal_walker
from gymnasium.envs.box2d.bipedal_walker import BipedalWalker
from numpy.typing import NDArray
from torch import Tensor

from aiga_walker.lives import OBSERVATIONS
from aiga_walker.physics import layout as at
from aiga_walker.terrain import FINISH, PUSH, Terrain

__all__ = ["PUSH", "CourseWalker", "Lidar"]

Lidar = Literal["nearest", "first-hit"]
_GROUND: Final = 0x0001  # collision category of the course; the walker's is 0x0020


class _Push:
    """Stands where Gymnasium's reset draws the start push: the one draw left once ground and clouds are not drawn."""

    def __init__(self, push: float) -> None:
        self.push = push

    def uniform(self, low: float, high: float) -> float:
        return self.push


def _sign(x: Any) -> Any:
    return x if x != x else type(x)(1 if x > 0 else -1 if x < 0 else 0)


def _clip(x: Any, low: float, high: float) -> Any:
    return type(x)(low) if x < low else type(x)(high) if x > high else x


# Gymnasium calls NumPy's functions on single numbers, a quarter of a step's time. These give the same bits of the same type.
_SCALARS = types.SimpleNamespace(**{**vars(np), "abs": abs, "sign": _sign, "clip": _clip})


class _Ray(Box2D.b2.rayCastCallback):  # type: ignore[misc]
    """A lidar ray; it sees the ground and passes through the walker.

    Args:
        first: to end at the first fixture of the tree that it meets, near or far, as in gym's v2 and in POET's reference code;
            otherwise each hit shortens it, so that the nearest is left, as in Gymnasium.
    """

    def __init__(self, first: bool) -> None:
        super().__init__()
        self._first = first
        # What Box2D is to do next with the ray: go on to its old end, or without the fixture met; or stop.
        self._passing = 1.0 if first else -1.0

    def ReportFixture(self, fixture: Any, point: Any, normal: Any, fraction: float) -> float:
        is_ground = fixture.filterData.categoryBits & _GROUND
        if not is_ground:
            return self._passing
        self.p2, self.fraction = point, fraction
        return 0.0 if self._first else fraction


class CourseWalker(BipedalWalker):
    """A walker that lives one episode after another, each on a given course.

    Args:
        lidar: what a ray reports, see the module.
    """

    def __init__(self, lidar: Lidar = "nearest") -> None:
        if lidar not in get_args(Lidar):
            raise ValueError(f"found lidar {lidar!r}. Write one of {', '.join(get_args(Lidar))}.")
        super().__init__()
        # What CreateStaticBody would make anew for each of some 200 bodies.
        self._box, self._edge = (Box2D.b2BodyDef(type=Box2D.b2_staticBody, fixtures=f) for f in (self.fd_polygon, self.fd_edge))
        self._rays = [_Ray(first=lidar == "first-hit") for _ in range(10)]

    # Gymnasium's own step, looking up NumPy's functions in other globals.
    step = types.FunctionType(
        BipedalWalker.step.__code__, {**vars(bipedal_walker), "np": _SCALARS}, "step", BipedalWalker.step.__defaults__
    )

    @property
    def lidar(self) -> list[Any]:
        """The ten rays."""
        return self._rays

    @lidar.setter
    def lidar(self, rays: list[Any]) -> None:
        """Gymnasium's reset makes new rays: these are kept instead."""

    def begin(self, terrain: Terrain, push: float) -> NDArray[np.float32]:
        """Starts an episode.

        Args:
            terrain: the course.
            push: horizontal force on the hull during the first step, in N.

        Returns:
            ``[24]`` float32, the first observation.
        """
        self.course = terrain
        # A world of its own: see the module.
        self.world = Box2D.b2World()
        self._np_random = _Push(push)  # type: ignore[assignment]
        observation, _ = super().reset()
        return observation  # type: ignore[no-any-return]

    @property
    def finished(self) -> bool:
        """Whether the walker stands past the finishing line, and did not fall there."""
        return not self.game_over and self.hull is not None and bool(self.hull.position[0] > FINISH)

    def end(self) -> None:
        """Frees the world; :meth:`begin` makes a new one."""
        self.hull, self.legs, self.joints, self.drawlist, self.world = None, [], [], [], None

    def poses(self) -> list[tuple[float, float, float]]:
        """X and y in m and angle in rad of hull, thigh, shank, thigh, shank."""
        return [(*body.position, body.angle) for body in (self.hull, *self.legs)]

    def _generate_terrain(self, hardcore: bool) -> None:
        """Builds the course, box by box and edge by edge, in the order of Gymnasium's own generator."""
        create, box, edge = self.world.CreateBody, self.fd_polygon.shape, self.fd_edge.shape
        for corners in self.course.boxes:
            box.vertices = corners
            create(self._box)
        for ends in pairwise(self.course.line):
            edge.vertices = ends
            create(self._edge)

    def _generate_clouds(self) -> None:
        """None: they would cost time and draws."""

    def _destroy(self) -> None:
        """Nothing: the old world went with all that was in it."""


class Box2DHerd:
    """``P`` walkers in Box2D worlds of their own, stepped one after the other; a :class:`aiga_walker.stepped.Herd`.

    A world goes as soon as its life is over, or Box2D refuses it: then ``why`` says with what words.

    Args:
        lidar: what a ray reports, see the module.
    """

    def __init__(self, lidar: Lidar = "nearest") -> None:
        self._lidar = lidar
        # Python objects to live in, made once; the worlds in them are new for each life.
        self._walkers: list[CourseWalker] = []
        self._reasons: dict[int, str] = {}
        self.resize(0)

    def resize(self, count: int) -> None:
        """Makes room for ``count`` lives that are about to begin."""
        while len(self._walkers) < count:
            self._walkers.append(CourseWalker(self._lidar))
        # Written through NumPy, a tenth of the time that torch takes for a row.
        self._seen, self._rewards = np.zeros((count, OBSERVATIONS), np.float32), np.zeros(count, np.float32)
        self._ends, self._poses = np.zeros(count, np.int32), np.zeros((count, at.BODIES, 3))
        self.seen, self.rewards = torch.from_numpy(self._seen), torch.from_numpy(self._rewards)
        self.ends = torch.from_numpy(self._ends)
        self._reasons.clear()

    def begin(self, rows: Tensor, terrains: Sequence[Terrain], pushes: Sequence[float]) -> None:
        """New lives in ``rows``; a course that Box2D refuses fails its row alone."""
        for row, terrain, push in zip(rows.tolist(), terrains, pushes, strict=True):
            try:
                self._seen[row] = self._walkers[row].begin(terrain, push)
            except Exception as error:
                self._fail(row, error)

    def step(self, rows: Tensor, actions: Tensor) -> None:
        """One step of ``rows``."""
        for row, action in zip(rows.tolist(), actions.numpy(), strict=True):
            walker = self._walkers[row]
            try:
                self._seen[row], self._rewards[row], over, _, _ = walker.step(action)
            except Exception as error:
                self._fail(row, error)
                continue
            if over:
                self._ends[row] = at.OVER | (at.FINISHED if walker.finished else 0)
                self._end(row)

    def poses(self) -> Tensor:
        """``[P, 5, 3]`` float64; where a life is over, those that it ended with."""
        for row in range(len(self._ends)):
            self._look(row)
        return torch.from_numpy(self._poses.copy())

    def why(self, row: int) -> str:
        """What Box2D said of a row that it refused."""
        return self._reasons[row]

    def close(self) -> None:
        """Frees all worlds."""
        for walker in self._walkers:
            walker.end()

    def _fail(self, row: int, error: Exception) -> None:
        self._reasons[row], self._ends[row] = f"{type(error).__name__}: {error}", at.LOST
        self._end(row)

    def _end(self, row: int) -> None:
        self._look(row)
        self._walkers[row].end()

    def _look(self, row: int) -> None:
        walker = self._walkers[row]
        if walker.hull is not None:
            self._poses[row] = walker.poses()
