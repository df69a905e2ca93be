"""Pictures of a cart and its pole, and of a life along time, drawn with Pillow."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from aiga_cartpole.carts import LEAN, TRACK

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]

GROUND: Final[Colour] = (247, 247, 244)
RAIL: Final[Colour] = (72, 76, 88)
CART: Final[Colour] = (127, 63, 205)
POLE: Final[Colour] = (232, 144, 40)
LIMIT: Final[Colour] = (176, 196, 222)
INK: Final[Colour] = (40, 44, 52)
FALLEN: Final[Colour] = (214, 64, 52)
_OVER: Final = 2
_WIDE: Final = 2 * TRACK + 0.8  # metres across a picture
_SIDE: Final = 320  # pixels across
_HIGH: Final = 4.6  # metres from the rail upwards: room for the longest pole on the heaviest cart
_ROOM: Final = 22  # pixels of words
_STRIP: Final = 90  # pixels of one quantity's height in a life


class Stage:
    """A cart with its pole, all on one scale.

    Args:
        pole_length: half of the pole's length, m.
        pole_mass: kg; a heavier pole is drawn thicker.
        cart_mass: kg; a heavier cart is drawn larger.
        caption: words, or none.
    """

    def __init__(self, pole_length: float, pole_mass: float, cart_mass: float, caption: str = "") -> None:
        self._metre = _OVER * _SIDE / _WIDE
        self._pole = 2.0 * pole_length * self._metre
        self._thick = max(_OVER * 2, round(_OVER * 5 * (pole_mass / 0.1) ** 0.25))
        self._cart = 0.25 * self._metre * cart_mass ** (1 / 3)
        self._caption = caption
        self._rail = _OVER * (round(_HIGH * _SIDE / _WIDE) + (_ROOM if caption else 0))
        self._size = (_OVER * _SIDE, self._rail + _OVER * 12)

    def frame(self, place: float, angle: float, note: str = "", fallen: bool = False) -> Picture:
        """``[H, W, 3]``: the cart at ``place`` metres, its pole at ``angle`` radians."""
        image = Image.new("RGB", self._size, GROUND)
        draw = ImageDraw.Draw(image)
        draw.line([0, self._rail, self._size[0], self._rail], fill=RAIL, width=_OVER * 2)
        for end in (-TRACK, TRACK):
            draw.line([self._x(end), self._rail - _OVER * 10, self._x(end), self._rail], fill=RAIL, width=_OVER * 2)
        x, top = self._x(place), self._rail - self._cart
        tip = (x + self._pole * math.sin(angle), top - self._pole * math.cos(angle))
        draw.rectangle([x - self._cart, top, x + self._cart, self._rail - _OVER], fill=CART)
        draw.line([(x, top), tip], fill=FALLEN if fallen else POLE, width=self._thick)
        pin = self._thick * 0.6
        draw.ellipse([x - pin, top - pin, x + pin, top + pin], fill=INK)
        _words(draw, self._caption, (6, 3))
        _words(draw, note, (6, 3 + (_ROOM if self._caption else 0)))
        return np.asarray(image.reduce(_OVER)).copy()

    def _x(self, place: float) -> float:
        return (place + _WIDE / 2.0) * self._metre


def course(places: NDArray[np.float64], angles: NDArray[np.float64], steps: int, fallen: bool, caption: str = "") -> Picture:
    """``[H, W, 3]``: a life from left to right, above the pole's angle, below the cart's place, between their limits.

    Args:
        places: ``[T]`` metres.
        angles: ``[T]`` radians.
        steps: of the longest life, which the picture has room for.
        fallen: whether the last one is a fall, which is marked.
        caption: words, or none.
    """
    head = _ROOM if caption else 0
    image = Image.new("RGB", (_OVER * _SIDE, _OVER * (2 * _STRIP + head)), GROUND)
    draw = ImageDraw.Draw(image)
    parts = (("angle", angles, LEAN, POLE), ("place", places, TRACK, CART))
    for number, (name, values, limit, colour) in enumerate(parts):
        middle = _OVER * (head + (number + 0.5) * _STRIP)
        half = _OVER * _STRIP * 0.36
        for level in (-half, 0.0, half):
            draw.line([0, middle + level, _OVER * _SIDE, middle + level], fill=LIMIT, width=_OVER)
        x = np.arange(len(values)) * (_OVER * _SIDE / max(1, steps))
        y = middle - half * np.clip(values / limit, -1.3, 1.3)
        line = list(zip(x.tolist(), y.tolist(), strict=True))
        if len(line) > 1:
            draw.line(line, fill=colour, width=_OVER * 2, joint="curve")
        if fallen:
            (right, low), mark = line[-1], _OVER * 3
            draw.ellipse([right - mark, low - mark, right + mark, low + mark], fill=FALLEN)
        _words(draw, name, (4, int(head + number * _STRIP)), size=10)
    _words(draw, caption, (6, 3))
    return np.asarray(image.reduce(_OVER)).copy()


def _words(draw: ImageDraw.ImageDraw, text: str, place: tuple[int, int], size: int = 13) -> None:
    if text:
        where = (place[0] * _OVER, place[1] * _OVER)
        draw.text(where, text, fill=INK, font=ImageFont.load_default(size=size * _OVER))
