"""Gymnasium's bipedal walker in Box2D's numbers: shapes, masses, joints, and the row of numbers that a life begins with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aiga_walker.physics import layout as at
from aiga_walker.physics import polygons
from aiga_walker.physics.target import plain
from aiga_walker.terrain import CELL, FINISH, GROUND

_SCALE = 30.0
_HULL = ((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8))
_LEG_DOWN, _LEG_W, _LEG_H = -8 / _SCALE, 8 / _SCALE, 34 / _SCALE
_HALF_WIDTHS = (_LEG_W / 2, 0.8 * _LEG_W / 2)  # thigh, shank
_DENSITY, _HULL_DENSITY = at.F(1.0), at.F(5.0)
_GROUND_FRICTION, _HULL_FRICTION, _LEG_FRICTION = at.F(2.5), at.F(0.1), at.F(0.2)
_TILT = 0.05  # rad, of the legs at the start
_START_X, _START_Y = CELL * 20 / 2, GROUND + 2 * _LEG_H


@dataclass(frozen=True)
class Figure:
    """What all walkers have in common.

    Attributes:
        shapes: ``[5 * POLYGON]`` float32, the polygons of the bodies.
        first: ``[FLOATS]`` float32, the numbers of a life before its first step.
        masses: inverse mass and inverse inertia of each body.
        arms: of each joint, its place on bodies A and B from their centres of mass.
        references: angle between the bodies of each joint where it is at 0: pybox2d takes that of their creation.
        centres: centre of mass of each body.
        cell: m, a stretch of ground.
        finish: m, the finishing line.
    """

    shapes: NDArray[np.float32]
    first: NDArray[np.float32]
    masses: tuple[Any, ...]
    arms: tuple[Any, ...]
    references: tuple[Any, ...]
    centres: tuple[Any, ...]
    cell: float = CELL
    finish: float = FINISH


@cache
def walker() -> Figure:
    """The walker."""
    shapes = np.zeros(at.BODIES * at.POLYGON, np.float32)
    made = polygons.build(plain())
    hull = np.array([(x / _SCALE, y / _SCALE) for x, y in _HULL], np.float32)
    made.polygon(hull, len(hull), shapes, 0)
    for body in range(1, at.BODIES):
        _leg(shapes, body * at.POLYGON, at.F(_HALF_WIDTHS[(body - 1) % 2]), at.F(_LEG_H / 2))
    for body in range(at.BODIES):
        start = body * at.POLYGON
        made.mass(shapes, start, _HULL_DENSITY if body == at.HULL else _DENSITY)
        own = _HULL_FRICTION if body == at.HULL else _LEG_FRICTION
        shapes[start + at.FRICTION] = np.sqrt(_GROUND_FRICTION * own)
    table = shapes.reshape(at.BODIES, at.POLYGON)
    centres = tuple((row[at.CENTRE], row[at.CENTRE + 1]) for row in table)
    tilts = [at.F(0.0), at.F(-_TILT), at.F(-_TILT), at.F(_TILT), at.F(_TILT)]
    hip, foot, head = (0.0, _LEG_DOWN), (0.0, -_LEG_H / 2), (0.0, _LEG_H / 2)
    arms = tuple(
        (*_from_centre(hip if a == at.HULL else foot, centres[a]), *_from_centre(head, centres[b])) for a, b in at.JOINED
    )
    return Figure(
        shapes=shapes,
        first=_first(table, tilts),
        masses=tuple((row[at.INV_MASS], row[at.INV_INERTIA]) for row in table),
        arms=arms,
        references=tuple(at.F(float(tilts[b]) - float(tilts[a])) for a, b in at.JOINED),
        centres=centres,
    )


def _leg(shapes: NDArray[np.float32], start: int, x: Any, y: Any) -> None:
    shapes[start : start + 8] = -x, -y, x, -y, x, y, -x, y
    shapes[start + at.NORMALS : start + at.NORMALS + 8] = 0, -1, 1, 0, 0, 1, -1, 0
    shapes[start + at.CORNERS] = 4


def _from_centre(place: tuple[float, float], centre: Any) -> tuple[Any, Any]:
    return at.F(place[0]) - centre[0], at.F(place[1]) - centre[1]


def _first(table: NDArray[np.float32], tilts: list[Any]) -> NDArray[np.float32]:
    row = np.zeros(at.FLOATS, np.float32)
    heights = (_START_Y, _START_Y - _LEG_H / 2 - _LEG_DOWN, _START_Y - _LEG_H * 3 / 2 - _LEG_DOWN)
    for body in range(at.BODIES):
        b, shape = row[body * at.BODY : (body + 1) * at.BODY], table[body]
        px, py = at.F(_START_X), at.F(heights[0 if body == at.HULL else 1 + (body - 1) % 2])
        s, c = at.F(math.sin(float(tilts[body]))), at.F(math.cos(float(tilts[body])))
        gx, gy = shape[at.CENTRE], shape[at.CENTRE + 1]
        b[at.A], b[at.SIN], b[at.COS], b[at.PX], b[at.PY] = tilts[body], s, c, px, py
        b[at.X], b[at.Y] = (c * gx - s * gy) + px, (s * gx + c * gy) + py
        corners = shape[: 2 * int(shape[at.CORNERS])].reshape(-1, 2)
        xs = [(c * x - s * y) + px for x, y in corners]
        ys = [(s * x + c * y) + py for x, y in corners]
        b[at.LOW_X], b[at.LOW_Y] = min(xs) - at.RADIUS - at.PADDING, min(ys) - at.RADIUS - at.PADDING
        b[at.HIGH_X], b[at.HIGH_Y] = max(xs) + at.RADIUS + at.PADDING, max(ys) + at.RADIUS + at.PADDING
    return row
