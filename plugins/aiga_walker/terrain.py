"""From a course's genome and terrain seed to the ground's vertices: POET's generator (Wang et al. 2019), or Gymnasium's own.

Ground is a line of 200 vertices, a cell of 14/30 m apart, with boxes standing in it. Stretches of grass (the first is the
flat start pad) alternate with obstacles of the kinds that the genome has. Every draw is keyed by the terrain seed, by what is
drawn and by the number of the cell or obstacle, so that a taller stump moves no bump of the ground, and all arithmetic
is float64 sums and products in a fixed order: the same vertices on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Batch, Stream
from aiga.streams import derive

CELL: Final = 14 / 30.0  # m
CELLS: Final = 200
PAD: Final = 20  # cells of flat ground to start on
GROUND: Final = 400 / 30.0 / 4  # m, height of the start pad
FINISH: Final = (CELLS - 10) * CELL  # m, Gymnasium's finishing line
PIT_DEPTH: Final = 4  # cells
STEP_WIDTH: Final = 4  # cells of each step of a stair
GRASS: Final = (5, 10)  # cells of a stretch: from, up to but not including
PUSH: Final = 5.0  # N, greatest start push
THINNEST: Final = 1e-4  # m; Box2D refuses a polygon whose area vanishes in float32

_STREAM = Stream(derive("walker", "terrain", 1))

Point = tuple[float, float]


@dataclass(frozen=True)
class Terrain:
    """A course's ground, in metres.

    Attributes:
        line: 200 vertices from left to right.
        boxes: corners of the obstacles, in the order they are met; pits have a box at either side.
    """

    line: tuple[Point, ...]
    boxes: tuple[tuple[Point, ...], ...]


class Packed(NamedTuple):
    """A terrain in arrays, a sixth of its size in memory.

    Attributes:
        line: ``[200, 2]`` float64.
        corners: ``[C, 2]`` float64, of all boxes one after another.
        ends: where in ``corners`` each box ends.
    """

    line: NDArray[np.float64]
    corners: NDArray[np.float64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, terrain: Terrain) -> Packed:
        """The numbers of ``terrain``, exactly."""
        corners = [corner for box in terrain.boxes for corner in box]
        return cls(
            np.array(terrain.line),
            np.array(corners, np.float64).reshape(-1, 2),
            np.cumsum([len(box) for box in terrain.boxes], dtype=np.int64),
        )

    def terrain(self) -> Terrain:
        """What it was made of."""
        corners = [(x, y) for x, y in self.corners.tolist()]
        starts = [0, *self.ends.tolist()]
        boxes = tuple(tuple(corners[start:end]) for start, end in pairwise(starts))
        return Terrain(tuple((x, y) for x, y in self.line.tolist()), boxes)


@dataclass(frozen=True)
class _Draws:
    """What chance gives one course, as plain numbers: uniform in (0, 1) unless said otherwise."""

    bump: list[float]  # by cell, in (-1, 1)
    run: list[int]  # cells of grass, by stretch
    kind: list[float]  # by obstacle, like the rest
    size: list[float]
    coin: list[float]


def terrains(envs: Batch) -> list[Terrain]:
    """The ground of each of ``B`` courses."""
    which = envs.kind.structure.get("terrain", "poet")
    seeds = envs.leaves["seed"]
    if which == "cppn":
        from aiga_walker.cppn_terrain import painted

        return painted(seeds, envs.leaves["roughness"].double())
    if which != "poet":
        from aiga_walker.gym_terrain import drawn

        return [drawn(seed, hardcore=which == "gymnasium-hardcore") for seed in seeds.tolist()]
    leaves = {name: leaf.tolist() for name, leaf in envs.leaves.items()}
    return [
        _Builder(draws, roughness, gap, stump, stair, steps).build()
        for draws, roughness, gap, stump, stair, steps in zip(
            _draw(seeds),
            *(leaves[name] for name in ("roughness", "gap", "stump", "stair", "stair_steps")),
            strict=True,
        )
    ]


def _draw(seeds: Tensor) -> list[_Draws]:
    most = CELLS // GRASS[0]  # stretches there can be
    # One call for all: what is drawn is told apart by its place among the row's numbers.
    drawn = _STREAM.rows(seeds).uniform(CELLS + 4 * most)
    bump, run, kind, size, coin = torch.split(drawn, [CELLS, most, most, most, most], dim=1)
    cells = (GRASS[0] + (GRASS[1] - GRASS[0]) * run).long()
    columns = (2.0 * bump - 1.0, cells, kind, size, coin)
    return [_Draws(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


class _Builder:
    """Lays one course, cell by cell."""

    def __init__(
        self, draws: _Draws, roughness: float, gap: list[float], stump: list[float], stair: list[float], steps: int
    ) -> None:
        self.draws = draws
        self.roughness = roughness
        self.gap, self.stump, self.stair, self.steps = gap, stump, stair, steps
        present = ((self._pit, gap[1] > 0), (self._stump, stump[1] > 0), (self._stairs, stair[1] > 0 and steps > 0))
        self.kinds = [lay for lay, there in present if there]
        self.line: list[Point] = []
        self.boxes: list[tuple[Point, ...]] = []
        self.y = GROUND
        self.velocity = 0.0

    def build(self) -> Terrain:
        self._grass(PAD)
        number = 0
        while len(self.line) < CELLS:
            if self.kinds:
                self.kinds[int(self.draws.kind[number] * len(self.kinds))](number)
            # The first cell after an obstacle, or where one might be, keeps its height.
            self._level(self.y)
            self._grass(self.draws.run[number] - 1)
            number += 1
        line = self.line[:CELLS]
        return Terrain(tuple(line), tuple(box for box in self.boxes if _height(box) >= THINNEST))

    def _grass(self, cells: int) -> None:
        for cell in range(len(self.line), min(len(self.line) + cells, CELLS)):
            pull = 0.01 * ((self.y < GROUND) - (self.y > GROUND))
            self.velocity = 0.8 * self.velocity + pull
            if cell > PAD:
                self.velocity += self.draws.bump[cell] / 30.0
            self.y += self.roughness * self.velocity
            self._level(self.y)

    def _level(self, y: float) -> None:
        self.line.append((len(self.line) * CELL, y))

    def _box(self, left: float, right: float, bottom: float, top: float) -> None:
        self.boxes.append(((left, top), (right, top), (right, bottom), (left, bottom)))

    def _pit(self, number: int) -> None:
        """A box, the gap between, a box; the ground between runs at the bottom."""
        low, high = self.gap
        width = low + (high - low) * self.draws.size[number]
        left, bottom = len(self.line) * CELL, self.y - PIT_DEPTH * CELL
        far = left + (1.0 + width) * CELL
        self._box(left, left + CELL, bottom, self.y)
        self._box(far, far + CELL, bottom, self.y)
        self._level(self.y)
        for _ in range(math.ceil(1.0 + width)):
            self._level(bottom)
        self.line.append((far + CELL, self.y))

    def _stump(self, number: int) -> None:
        low, high = self.stump
        height = (low + (high - low) * self.draws.size[number]) * CELL
        left = len(self.line) * CELL
        self._box(left, left + CELL, self.y, self.y + height)
        self._level(self.y)

    def _stairs(self, number: int) -> None:
        """Steps up or down, each a box as thick as the step is high; the ground runs along their tops, or feet going down."""
        low, high = self.stair
        height = (low + (high - low) * self.draws.size[number]) * CELL
        rise = height if self.draws.coin[number] > 0.5 else -height
        start, foot = self.y, 0.0 if rise > 0 else -height
        left = len(self.line) * CELL
        self._level(start)
        for step in range(self.steps):
            top = start + step * rise
            self._box(left + step * STEP_WIDTH * CELL, left + (step + 1) * STEP_WIDTH * CELL, top - height, top)
            self.y = top + foot
            for _ in range(STEP_WIDTH):
                self._level(self.y)


def _height(box: tuple[Point, ...]) -> float:
    return box[0][1] - box[2][1]
