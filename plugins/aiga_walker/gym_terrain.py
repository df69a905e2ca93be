"""The ground of Gymnasium's ``BipedalWalker-v3``, drawn from the same stream of random numbers, number by number.

Gymnasium's own generator builds a Box2D body for every cell. Here the same draws, of the same kind and in the same order, end
in plain vertices, several times faster, and ask for no Box2D.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from aiga_walker.terrain import CELL, CELLS, GRASS, GROUND, PAD, PIT_DEPTH, PUSH, STEP_WIDTH, Point, Terrain

_CLOUDS: Final = 10 * (1 + 2 * 5)  # numbers drawn for clouds, after the ground and before the push


def draw(rng: np.random.Generator, hardcore: bool) -> tuple[Terrain, float]:
    """The course and the start push that a reset of Gymnasium's walker draws.

    Args:
        rng: the walker's stream, left where Gymnasium leaves it.
        hardcore: with stumps, stairs and pits.

    Returns:
        The ground in m, and the push in N.
    """
    terrain = _Layer(rng, hardcore).lay()
    rng.random(_CLOUDS)
    return terrain, rng.uniform(-PUSH, PUSH)


def drawn(seed: int, hardcore: bool) -> Terrain:
    """The course of a walker of Gymnasium's that is reset with ``seed``."""
    return _Layer(np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))), hardcore).lay()


class _Layer:
    """Lays one course: stretches of grass, in a hardcore course each after an obstacle.

    Attributes:
        heights: of the cells laid; the last stretch may lead beyond the course.
    """

    def __init__(self, rng: np.random.Generator, hardcore: bool) -> None:
        self.rng, self.hardcore = rng, hardcore
        self.heights = [GROUND] * PAD
        self.boxes: list[tuple[Point, ...]] = []
        self.y, self.velocity = GROUND, 0.0
        self.kinds = (self._stump, self._stairs, self._pit)

    def lay(self) -> Terrain:
        heights, integers = self.heights, self.rng.integers
        # What comes next is drawn in a stretch's last cell: also in the last of the course, but not beyond it.
        while len(heights) <= CELLS:
            run = int(integers(*GRASS))
            kind = integers(3) if self.hardcore else None
            if kind is not None and len(heights) < CELLS:
                self.kinds[kind]()
                if len(heights) > CELLS:
                    break
                run = int(integers(*GRASS))
            if len(heights) == CELLS:
                break
            self._grass(run)
        return Terrain(tuple((i * CELL, y) for i, y in enumerate(heights[:CELLS])), tuple(self.boxes))

    def _grass(self, run: int) -> None:
        y, velocity, random, heights = self.y, self.velocity, self.rng.random, self.heights
        # The first cell keeps its height.
        heights.append(y)
        bumps = min(run - 1, CELLS - len(heights))
        for _ in range(bumps):
            pull = 0.01 * ((y < GROUND) - (y > GROUND))
            # uniform(-1, 1), the same to the bit: doubling is exact.
            velocity = 0.8 * velocity + pull + (-1.0 + 2.0 * random()) / 30.0
            y += velocity
            heights.append(y)
        heights.extend([y] * (run - 1 - bumps))
        self.y, self.velocity = y, velocity

    def _box(self, left: float, right: float, near: float, far: float) -> None:
        """Corners as Gymnasium lists them: along one height, then back along the other."""
        self.boxes.append(((left, near), (right, near), (right, far), (left, far)))

    def _stump(self) -> None:
        size, x = int(self.rng.integers(1, 3)), len(self.heights) * CELL
        self._box(x, x + size * CELL, self.y, self.y + size * CELL)
        self.heights.extend([self.y] * size)

    def _stairs(self) -> None:
        rise = 1 if self.rng.random() > 0.5 else -1
        steps, x, start = int(self.rng.integers(3, 5)), len(self.heights) * CELL, self.y
        for step in range(steps):
            left, right = x + step * STEP_WIDTH * CELL, x + (1 + step) * STEP_WIDTH * CELL
            self._box(left, right, start + step * rise * CELL, start + (-1 + step * rise) * CELL)
        self.heights.append(start)
        for cell in range(1, steps * STEP_WIDTH):
            self.y = start + ((cell - rise) / STEP_WIDTH * rise) * CELL
            self.heights.append(self.y)

    def _pit(self) -> None:
        width, x = int(self.rng.integers(3, 5)), len(self.heights) * CELL
        bottom = self.y - PIT_DEPTH * CELL
        self._box(x, x + CELL, self.y, bottom)
        self._box(x + CELL * width, x + CELL + CELL * width, self.y, bottom)
        # As wide as drawn and two cells more, of which the last stands on the far edge again.
        self.heights.extend([self.y, *[bottom] * width, self.y])
