"""Pictures of courses and of walkers on them, drawn with Pillow at several times their size and scaled down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from aiga_walker.terrain import CELL, CELLS, FINISH, GROUND, Point, Terrain

Pose = Sequence[tuple[float, float, float]]  # x and y in m, angle in rad, of hull, thigh, shank, thigh, shank
Colour = tuple[int, int, int]

SKY: Final[tuple[Colour, Colour]] = ((206, 226, 242), (247, 250, 252))
SOIL: Final[Colour] = (122, 96, 74)
TURF: Final[Colour] = (86, 143, 74)
STONE: Final[Colour] = (108, 113, 125)
STONE_EDGE: Final[Colour] = (72, 76, 88)
FLAG: Final[Colour] = (214, 64, 52)
INK: Final[Colour] = (40, 44, 52)
HULL: Final[Colour] = (127, 63, 205)
NEAR: Final[Colour] = (176, 98, 150)
FAR: Final[Colour] = (116, 62, 104)

# Outlines of the bodies in m, as Gymnasium's walker has them.
_HULL: Final = tuple((x / 30, y / 30) for x, y in ((-30, 9), (6, 9), (34, 1), (34, -8), (-30, -8)))


def _limb(width: float, length: float) -> tuple[Point, ...]:
    x, y = width / 60, length / 60
    return ((-x, -y), (x, -y), (x, y), (-x, y))


_THIGH, _SHANK = _limb(8, 34), _limb(0.8 * 8, 34)
_BODIES: Final = ((1, _THIGH, FAR), (2, _SHANK, FAR), (3, _THIGH, NEAR), (4, _SHANK, NEAR), (0, _HULL, HULL))  # back to front


@dataclass(frozen=True)
class _View:
    """Where a point in m falls on a picture: ``left`` and ``top`` are the m of its upper left corner, scales are pixels a m."""

    left: float
    top: float
    scale: float
    scale_y: float

    def at(self, points: Sequence[Point]) -> list[Point]:
        return [((x - self.left) * self.scale, (self.top - y) * self.scale_y) for x, y in points]


def strip(
    terrain: Terrain, poses: Sequence[Pose] = (), width: int = 1200, height: int = 160, caption: str = ""
) -> NDArray[np.uint8]:
    """A whole course as one ``[height, width, 3]`` picture, with walkers on it.

    Heights have the scale of lengths, unless a course climbs or falls too far for that.
    """
    over = 3
    low, high = _extent(terrain, poses)
    scale = over * width / ((CELLS - 1) * CELL)
    scale_y = min(scale, over * height / (high - low))
    spare = over * height / scale_y - (high - low)
    view = _View(0.0, high + 0.6 * spare, scale, scale_y)
    image = _course(terrain, view, over * width, over * height)
    draw = ImageDraw.Draw(image, "RGBA")
    if poses:
        track = view.at([(pose[0][0], pose[0][1]) for pose in poses])
        draw.line(track, fill=(*HULL, 130), width=over, joint="curve")
    for pose in _spaced(poses, 2.5):
        _walker(draw, view, pose, over)
    return _finish(image.resize((width, height), Image.Resampling.BOX), caption)


class Scene:
    """A course seen by a camera that follows the walker.

    Args:
        terrain: the course.
        width, height: of a frame, in pixels.
        scale: pixels a m.
    """

    OVER: Final = 2

    def __init__(self, terrain: Terrain, width: int = 400, height: int = 240, scale: float = 24.0) -> None:
        self.width, self.height = width * self.OVER, height * self.OVER
        self.scale = scale * self.OVER
        low, high = _extent(terrain, ())
        # Room for a whole frame above and below what a walker may stand on, and before and behind.
        room = height / scale
        self.view = _View(-room, high + room, self.scale, self.scale)
        across = ((CELLS - 1) * CELL + 2 * room + width / scale) * self.scale
        self.image = _course(terrain, self.view, math.ceil(across), math.ceil((high - low + 2 * room) * self.scale))

    def frame(self, pose: Pose, caption: str = "") -> NDArray[np.uint8]:
        """``[height, width, 3]``: the walker, a third from the left."""
        ((x, y),) = self.view.at([(pose[0][0], pose[0][1])])
        left = min(max(round(x - self.width / 3), 0), self.image.width - self.width)
        top = min(max(round(y - self.height / 2), 0), self.image.height - self.height)
        image = self.image.crop((left, top, left + self.width, top + self.height))
        view = _View(self.view.left + left / self.scale, self.view.top - top / self.scale, self.scale, self.scale)
        _walker(ImageDraw.Draw(image), view, pose, self.OVER)
        return _finish(image.reduce(self.OVER), caption)


def _extent(terrain: Terrain, poses: Sequence[Pose]) -> tuple[float, float]:
    """Lowest and highest m to show: the course with some soil below, and room for a walker above."""
    heights = [y for _, y in terrain.line] + [y for box in terrain.boxes for _, y in box if box[0][0] < CELLS * CELL]
    heights += [pose[0][1] for pose in poses]
    return min(heights) - 1.5, max(*heights, GROUND) + 3.0


def _course(terrain: Terrain, view: _View, width: int, height: int) -> Image.Image:
    image = _sky(width, height)
    draw = ImageDraw.Draw(image)
    stroke = max(2, round(view.scale * 0.16))
    line = [(-100.0, GROUND), *terrain.line, (terrain.line[-1][0] + 100.0, terrain.line[-1][1])]
    ground = view.at(line)
    draw.polygon([*ground, (ground[-1][0], height + 1), (ground[0][0], height + 1)], fill=SOIL)
    draw.line(ground, fill=TURF, width=stroke, joint="curve")
    for box in terrain.boxes:
        draw.polygon(view.at(box), fill=STONE, outline=STONE_EDGE, width=max(1, stroke // 2))
    _flag(draw, view, FINISH, _height_at(terrain, FINISH), stroke)
    return image


def _sky(width: int, height: int) -> Image.Image:
    top, bottom = (np.array(colour, np.float64) for colour in SKY)
    shade = np.linspace(0.0, 1.0, height)[:, None]
    column = (top + (bottom - top) * shade).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(column[:, None], (height, width, 3))))


def _height_at(terrain: Terrain, x: float) -> float:
    xs, ys = zip(*terrain.line, strict=True)
    return float(np.interp(x, xs, ys))


def _flag(draw: ImageDraw.ImageDraw, view: _View, x: float, y: float, stroke: int) -> None:
    draw.line(view.at([(x, y), (x, y + 2.2)]), fill=INK, width=stroke)
    draw.polygon(view.at([(x, y + 2.2), (x, y + 1.4), (x + 1.2, y + 1.8)]), fill=FLAG)


def _walker(draw: ImageDraw.ImageDraw, view: _View, pose: Pose, over: int) -> None:
    for body, outline, colour in _BODIES:
        x, y, angle = pose[body]
        sin, cos = math.sin(angle), math.cos(angle)
        corners = [(x + cos * a - sin * b, y + sin * a + cos * b) for a, b in outline]
        draw.polygon(view.at(corners), fill=colour, outline=INK, width=max(1, over // 2))


def _spaced(poses: Sequence[Pose], apart: float) -> list[Pose]:
    """The first pose, those a distance in m further on than the last one kept, and the last."""
    kept: list[Pose] = []
    for pose in poses:
        if not kept or abs(pose[0][0] - kept[-1][0][0]) >= apart:
            kept.append(pose)
    return [*kept, *poses[-1:]]


def _finish(image: Image.Image, caption: str) -> NDArray[np.uint8]:
    if caption:
        font = ImageFont.load_default(size=13)
        lines = [""]
        for word in caption.split():
            longer = f"{lines[-1]} {word}".strip()
            lines = [*lines[:-1], longer] if font.getlength(longer) <= image.width - 16 else [*lines, word]
        ImageDraw.Draw(image).text((8, 6), "\n".join(filter(None, lines)), fill=INK, font=font)
    return np.asarray(image).copy()
