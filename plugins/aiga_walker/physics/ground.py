"""Courses as the kernels read them: vertices of the line, boxes, and which of both lie in each stretch of ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiga_walker.physics import layout as at
from aiga_walker.terrain import CELL, Terrain

_REACH: Final = 0.25  # m beyond a shape that its padded bounding box may lie, and then some


@dataclass(frozen=True)
class Ground:
    """``C`` courses in arrays, flat as the kernels take them.

    Attributes:
        line: ``[C * VERTICES * LINE]`` float32.
        boxes: ``[C * width * POLYGON]`` float32.
        bins: ``[C * BINS * BIN]`` int32.
        count: ``[C]`` int32, boxes of each course.
        width: room for boxes in each course.
    """

    line: NDArray[np.float32]
    boxes: NDArray[np.float32]
    bins: NDArray[np.int32]
    count: NDArray[np.int32]
    width: int

    def spread(self, places: int, rows: NDArray[np.int64]) -> Ground:
        """The same courses at ``rows`` of ``places``; elsewhere the first of them."""
        which = np.zeros(places, np.int64)
        which[rows] = np.arange(len(rows))
        courses = len(self.count)
        return Ground(
            line=self.line.reshape(courses, -1)[which].reshape(-1),
            boxes=self.boxes.reshape(courses, -1)[which].reshape(-1),
            bins=self.bins.reshape(courses, -1)[which].reshape(-1),
            count=self.count[which],
            width=self.width,
        )

    def put(self, rows: NDArray[np.int64], new: Ground) -> Ground:
        """With the courses of ``new`` at ``rows``; made anew only where these have more boxes than there is room for."""
        places, width = len(self.count), max(self.width, new.width)
        old = self if width == self.width else self._widened(width)
        wide = new if width == new.width else new._widened(width)
        for mine, theirs in ((old.line, wide.line), (old.boxes, wide.boxes), (old.bins, wide.bins), (old.count, wide.count)):
            mine.reshape(places, -1)[rows] = theirs.reshape(len(rows), -1)
        return old

    def _widened(self, width: int) -> Ground:
        boxes = np.zeros((len(self.count), width, at.POLYGON), np.float32)
        boxes[:, : self.width] = self.boxes.reshape(len(self.count), self.width, at.POLYGON)
        return Ground(self.line, boxes.reshape(-1), self.bins, self.count, width)


def ground_of(terrains: Sequence[Terrain], polygon: Any) -> Ground:
    """The arrays of some courses.

    Args:
        terrains: one or more courses.
        polygon: the compiled function of :mod:`aiga_walker.physics.polygons`.

    Raises:
        ValueError: for a course whose line has another number of vertices than the kernels take.
    """
    courses, width = len(terrains), max(1, *(len(terrain.boxes) for terrain in terrains))
    line = np.zeros((courses, at.VERTICES, at.LINE), np.float32)
    boxes = np.zeros((courses, width, at.POLYGON), np.float32)
    bins = np.zeros((courses, at.BINS, at.BIN), np.int32)
    count = np.array([len(terrain.boxes) for terrain in terrains], np.int32)
    for course, terrain in enumerate(terrains):
        if len(terrain.line) != at.VERTICES:
            raise ValueError(f"a course has {at.VERTICES} vertices, found {len(terrain.line)}")
        line[course, :, :2] = terrain.line
        flat = boxes[course].reshape(-1)
        for box, corners in enumerate(terrain.boxes):
            polygon(np.array(corners, np.float32), len(corners), flat, box * at.POLYGON)
    _normals(line)
    _bounds(boxes)
    _stretches(line, boxes, count, bins)
    return Ground(line.reshape(-1), boxes.reshape(-1), bins.reshape(-1), count, width)


def _normals(line: NDArray[np.float32]) -> None:
    x, y = (np.diff(line[..., i], axis=1) for i in (0, 1))
    nx, ny = y, -x
    length = np.sqrt(nx * nx + ny * ny)
    with np.errstate(divide="ignore"):
        inverse = np.where(length < at.EPSILON, at.ONE, at.ONE / length)
    line[:, :-1, 2], line[:, :-1, 3] = nx * inverse, ny * inverse


def _bounds(boxes: NDArray[np.float32]) -> None:
    corners = boxes[..., : at.NORMALS].reshape(*boxes.shape[:2], -1, 2)
    there = np.arange(corners.shape[2]) < boxes[..., at.CORNERS, None]
    low = np.where(there[..., None], corners, np.inf).min(axis=2)
    high = np.where(there[..., None], corners, -np.inf).max(axis=2)
    # An empty place for a box is hit by nothing.
    boxes[..., at.BOX : at.BOX + 2] = low - at.RADIUS - at.PADDING
    boxes[..., at.BOX + 2 : at.BOX + 4] = high + at.RADIUS + at.PADDING


def _stretches(
    line: NDArray[np.float32], boxes: NDArray[np.float32], count: NDArray[np.int32], bins: NDArray[np.int32]
) -> None:
    """The first and last of the edges, and of the boxes, that reach into each stretch; outer stretches are endless."""
    x = line[..., 0].astype(np.float64)
    low, high = np.minimum(x[:, :-1], x[:, 1:]), np.maximum(x[:, :-1], x[:, 1:])
    bins[..., 0], bins[..., 1] = _reaching(low, high, np.full(len(line), at.VERTICES - 1))
    bins[..., 2], bins[..., 3] = _reaching(boxes[..., at.BOX], boxes[..., at.BOX + 2], count)


def _reaching(low: NDArray[Any], high: NDArray[Any], count: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``[C, BINS]`` numbers of the first and the last shape of each stretch; the first is beyond the last where there is none.

    A range over several stretches goes from the first of one to the last of another, so that an empty one must not cut it
    short: the first of a stretch is the least number of all shapes that end in it or to its right, the last is the greatest of
    all that begin in it or to its left.
    """
    courses, shapes = low.shape
    first, last = np.full((courses, at.BINS), shapes), np.full((courses, at.BINS), -1)
    course, number = np.nonzero(np.arange(shapes)[None] < count[:, None])
    begin = np.ceil((low[course, number] - _REACH) / CELL) - 1
    end = np.floor((high[course, number] + _REACH) / CELL)
    np.minimum.at(first, (course, np.clip(end, 0, at.BINS - 1).astype(np.int64)), number)
    np.maximum.at(last, (course, np.clip(begin, 0, at.BINS - 1).astype(np.int64)), number)
    return np.minimum.accumulate(first[:, ::-1], axis=1)[:, ::-1], np.maximum.accumulate(last, axis=1)
