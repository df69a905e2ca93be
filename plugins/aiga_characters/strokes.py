"""Characters as strokes: random walks of three to five points, which Catmull-Rom splines smooth (Catmull & Rom 1974).

Only sums, products, quotients and roots, each correctly rounded, so that a seed gives the same bits on every machine.

``R`` characters have up to ``STROKES`` strokes of up to ``POINTS`` points; x runs right and y down, over a canvas of side 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from aiga import Stream
from aiga.resample import turned
from aiga_characters.recipes import Recipe

STROKES, POINTS = 4, 5
MANY: Final = (0.15, 0.5, 0.85)  # a character has 1, 2, 3 or 4 strokes with chances of 0.15, 0.35, 0.35 and 0.15
TURN, STEP = 0.9, (0.14, 0.32)  # of the random walk: deviation of its turns, length of its steps
ATTACHED: Final = 0.6  # the share of strokes that begin on an earlier one
ROOM: Final = (0.3, 0.7)  # where others begin
FITTING: Final = 0.72  # the longest side of a character


@dataclass(frozen=True)
class Strokes:
    """Polylines.

    Attributes:
        points: ``[R, STROKES, POINTS, 2]`` float64; past the end of a stroke its last point again.
        count: ``[R, STROKES]`` int64 points of each stroke; 0 where there is none.
    """

    points: Tensor
    count: Tensor

    def take(self, rows: Tensor) -> Strokes:
        """These characters, in this order."""
        return Strokes(self.points[rows], self.count[rows])

    @property
    def there(self) -> Tensor:
        """``[R, STROKES, POINTS]`` bool: which points exist."""
        return torch.arange(POINTS) < self.count[..., None]

    @property
    def extent(self) -> Tensor:
        """``[R, 2]`` width and height."""
        low, high = self._box()
        return high - low

    def fitted(self) -> Strokes:
        """The same characters, each in the middle of the canvas, made smaller where it is too large."""
        low, high = self._box()
        middle, longest = (low + high) / 2.0, (high - low).amax(dim=1)
        shrink = (FITTING / longest.clamp(min=FITTING))[:, None, None, None]
        return Strokes((self.points - middle[:, None, None]) * shrink + 0.5, self.count)

    def _box(self) -> tuple[Tensor, Tensor]:
        there = self.there[..., None]
        low = torch.where(there, self.points, torch.inf).flatten(1, 2).amin(dim=1)
        high = torch.where(there, self.points, -torch.inf).flatten(1, 2).amax(dim=1)
        return low, high


def characters(recipe: Recipe, rng: Stream, alphabet: Tensor) -> Strokes:
    """One character for each of ``R`` row keys of ``rng``, made of the parts of its ``[R]`` alphabet where those share any."""
    count = 3 + (rng.child("points").uniform(STROKES) * 3.0).long()
    path = _walks(rng.child("walk"), STROKES)
    if recipe.parts:
        keys, which = torch.unique(alphabet, return_inverse=True)
        pool = Stream(rng.key).child("alphabet").rows(keys)
        part = rng.child("part").integers(0, recipe.parts, STROKES)
        count = (3 + (pool.child("points").uniform(recipe.parts) * 3.0).long())[which[:, None], part]
        path = _quarters(_walks(pool.child("walk"), recipe.parts)[which[:, None], part], rng.child("quarter"))
    many = 1 + (rng.child("strokes").uniform(1) > torch.tensor(MANY)).sum(dim=1)
    count = torch.where(torch.arange(STROKES) < many[:, None], count, 0)
    # Past its end a stroke stays at its last point.
    place = torch.arange(POINTS).minimum((count - 1).clamp(min=0)[..., None])
    path = path.gather(2, place[..., None].expand(-1, -1, -1, 2))
    return Strokes(_placed(path, count, rng), count).fitted()


def drawings(recipe: Recipe, rng: Stream, strokes: Strokes) -> Strokes:
    """``strokes`` as a hand draws them, once each: vertices wobble, the whole turns, grows, leans and moves."""
    count = len(strokes.count)
    points = strokes.points + recipe.wobble * rng.child("wobble").normal(STROKES, POINTS, 2).double()
    cosine, sine = turned(recipe.rotation * rng.child("rotation").normal().double().reshape(count, 1, 1))
    scale = 1.0 + recipe.scale * rng.child("scale").normal(2).double()
    shear = recipe.shear * rng.child("shear").normal().double().reshape(count, 1, 1)
    shift = recipe.shift * rng.child("shift").normal(2).double()
    x, y = (points[..., axis] - 0.5 for axis in (0, 1))
    x, y = x * scale[:, 0, None, None], y * scale[:, 1, None, None]
    x = x + shear * y
    x, y = cosine * x - sine * y, sine * x + cosine * y
    return Strokes(torch.stack([x, y], dim=-1) + 0.5 + shift[:, None, None], strokes.count)


def curves(strokes: Strokes, samples: int) -> tuple[Tensor, Tensor]:
    """Points along the strokes, close together.

    Returns:
        ``[S, samples, 2]`` points of every piece of a curve between two vertices, and ``[S]`` int64: whose character it is.
    """
    count = strokes.count[..., None]
    piece = torch.arange(POINTS - 1)
    whose, stroke, at = torch.nonzero(piece < count - 1, as_tuple=True)
    last = strokes.count[whose, stroke] - 1
    ends = [strokes.points[whose, stroke, (at + shift).clamp(min=0).minimum(last)] for shift in (-1, 0, 1, 2)]
    u = ((torch.arange(samples, dtype=torch.float64) + 0.5) / samples)[:, None]
    weights = (
        (-u + 2.0 * u * u - u * u * u) / 2.0,
        (2.0 - 5.0 * u * u + 3.0 * u * u * u) / 2.0,
        (u + 4.0 * u * u - 3.0 * u * u * u) / 2.0,
        (-u * u + u * u * u) / 2.0,
    )
    parts = [weight * end[:, None] for weight, end in zip(weights, ends, strict=True)]
    return (parts[0] + parts[1]) + (parts[2] + parts[3]), whose


def _walks(rng: Stream, many: int) -> Tensor:
    """``[R, many, POINTS, 2]`` random walks from the origin, for each row key of ``rng``."""
    heading = rng.child("heading").normal(many, 2).double()
    length = (heading * heading).sum(dim=-1).sqrt()
    x, y = heading[..., 0] / length, heading[..., 1] / length
    cosine, sine = turned(TURN * rng.child("turn").normal(many, POINTS - 1).double())
    step = rng.child("step").uniform(many, POINTS - 1, low=STEP[0], high=STEP[1])
    at = [torch.zeros_like(heading)]
    for move in range(POINTS - 1):
        at.append(at[-1] + step[..., move, None] * torch.stack([x, y], dim=-1))
        x, y = cosine[..., move] * x - sine[..., move] * y, sine[..., move] * x + cosine[..., move] * y
    return torch.stack(at, dim=-2)


def _quarters(path: Tensor, rng: Stream) -> Tensor:
    """``[R, STROKES, POINTS, 2]`` paths, each turned by quarters of a circle."""
    quarter = rng.integers(0, 4, STROKES)[..., None]
    x, y = path[..., 0], path[..., 1]
    x, y = torch.where(quarter % 2 == 0, x, -y), torch.where(quarter % 2 == 0, y, x)
    sign = torch.where(quarter < 2, 1.0, -1.0).double()
    return torch.stack([x * sign, y * sign], dim=-1)


def _placed(path: Tensor, count: Tensor, rng: Stream) -> Tensor:
    """Paths moved to where they begin: on a point of an earlier stroke, or anywhere in the middle of the canvas."""
    rows = torch.arange(len(path))
    own = rng.child("start").uniform(STROKES, 2, low=ROOM[0], high=ROOM[1])
    attached = rng.child("attached").uniform(STROKES) < ATTACHED
    which, where = rng.child("which").uniform(STROKES), rng.child("where").uniform(STROKES)
    placed = [path[:, 0] + own[:, 0, None]]
    for stroke in range(1, STROKES):
        earlier = (which[:, stroke] * stroke).long()
        # A stroke is there only where all earlier ones are.
        point = (where[:, stroke] * count[rows, earlier]).long()
        held = torch.stack(placed, dim=1)[rows, earlier, point]
        start = torch.where(attached[:, stroke, None], held, own[:, stroke])
        placed.append(path[:, stroke] + start[:, None])
    return torch.stack(placed, dim=1)
