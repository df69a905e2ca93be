"""Pictures of mazes seen from above, drawn with Pillow."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Cell = tuple[int, int]  # row and column

GROUND: Final[Colour] = (247, 247, 244)
WALL: Final[Colour] = (72, 76, 88)
MAYBE: Final[Colour] = (250, 226, 178)
GOAL: Final[Colour] = (232, 144, 40)
START: Final[Colour] = (176, 196, 222)
AGENT: Final[Colour] = (127, 63, 205)
INK: Final[Colour] = (40, 44, 52)
FIRST: Final[Colour] = (150, 190, 235)  # of a path: at birth, and at the end of life
LAST: Final[Colour] = (165, 30, 90)
_OVER: Final = 2


class Plan:
    """A maze on a picture of ``side`` pixels, and a strip of words below where there is a caption.

    Args:
        free: ``[L, L]`` bool.
        maybe: ``[L, L]`` bool, cells that may be goals.
        side: pixels.
        caption: words, or none.
    """

    def __init__(self, free: NDArray[np.bool_], maybe: NDArray[np.bool_], side: int = 240, caption: str = "") -> None:
        self._size, self._side, self._words = len(free), side, 22 if caption else 0
        self._pixel = _OVER * side / self._size
        self.image = Image.new("RGB", (_OVER * side, _OVER * (side + self._words)), GROUND)
        draw = ImageDraw.Draw(self.image)
        for row, column in np.argwhere(~free | maybe).tolist():
            self._square(draw, (row, column), MAYBE if free[row, column] else WALL)
        self._square(draw, (self._size // 2, self._size // 2), START, 0.3)
        if caption:
            font = ImageFont.load_default(size=13 * _OVER)
            draw.text((6 * _OVER, (side + 3) * _OVER), caption, fill=INK, font=font)

    def frame(self, agent: Cell, goal: Cell, track: list[Cell], note: str = "") -> NDArray[np.uint8]:
        """``[H, W, 3]``: the agent where it is, the goal, and where it came along since it was last put down."""
        image = self.image.copy()
        draw = ImageDraw.Draw(image)
        self._square(draw, goal, GOAL, 0.12)
        if len(track) > 1:
            draw.line([self._middle(cell) for cell in track], fill=FIRST, width=max(1, int(self._pixel / 8)), joint="curve")
        x, y = self._middle(agent)
        reach = self._pixel * 0.33
        draw.ellipse([x - reach, y - reach, x + reach, y + reach], fill=AGENT, outline=INK, width=_OVER)
        if note:
            draw.text((4 * _OVER, 2 * _OVER), note, fill=GROUND, font=ImageFont.load_default(size=11 * _OVER))
        return self._finished(image)

    def paths(self, goal: Cell, walks: list[list[Cell]]) -> NDArray[np.uint8]:
        """``[H, W, 3]``: every walk of a life from landing to goal, from the first in light blue to the last in dark red."""
        image = self.image.copy()
        draw = ImageDraw.Draw(image)
        self._square(draw, goal, GOAL, 0.12)
        for number, walk in enumerate(walks):
            share = number / max(1, len(walks) - 1)
            colour = tuple(round(a + (b - a) * share) for a, b in zip(FIRST, LAST, strict=True))
            slip = (share - 0.5) * self._pixel * 0.5  # side by side, so that none hides another
            points = [(x + slip, y + slip) for x, y in map(self._middle, walk)]
            if len(points) > 1:
                draw.line(points, fill=colour, width=max(1, int(self._pixel / 14)), joint="curve")
        return self._finished(image)

    def empty(self) -> NDArray[np.uint8]:
        """``[H, W, 3]``: nobody there."""
        return self._finished(self.image)

    def _middle(self, cell: Cell) -> tuple[float, float]:
        return (cell[1] + 0.5) * self._pixel, (cell[0] + 0.5) * self._pixel

    def _square(self, draw: ImageDraw.ImageDraw, cell: Cell, colour: Colour, inset: float = 0.0) -> None:
        (x, y), half = self._middle(cell), self._pixel * (0.5 - inset)
        draw.rectangle([x - half, y - half, x + half - 1, y + half - 1], fill=colour)

    def _finished(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image.reduce(_OVER)).copy()
