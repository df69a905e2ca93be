"""The genome of an environment: the slope of its track, knot by knot, and how strong the wind may blow.

A track runs from -2 m, where a wall stands, to the flag at 10 m; the cart starts at 0 m. The slope is given at every metre and
is linear in between. All values lie on a grid, so that two tracks are the same or visibly different.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aiga import Batch, Kind, Stream

VERSION = 1
KIND = Kind("hills", {"version": VERSION})
WALL, FLAG = -2.0, 10.0
KNOTS = 13  # one a metre, from wall to flag
STEEPEST = 0.95
STRONGEST = 0.4
_SLOPE_STEP, _WIND_STEP = 0.3, 0.05


def level(count: int) -> Batch:
    """``count`` tracks without a hill and without wind."""
    return Batch.of(
        KIND, {"slope": torch.zeros(count, KNOTS, dtype=torch.float64), "wind": torch.zeros(count, dtype=torch.float64)}
    )


def mutate(rng: Stream, parents: Batch) -> Batch:
    """One child a row: about a third of the knots tilt by N(0, 0.3**2), the wind of half of them changes by N(0, 0.05**2).

    Args:
        rng: with a row key for each child.
        parents: rows of :data:`KIND`.
    """
    slope, wind = parents.leaves["slope"], parents.leaves["wind"]
    device = slope.device
    tilt = rng.child("tilt").normal(KNOTS, device=device).double() * _SLOPE_STEP
    which = rng.child("which").uniform(KNOTS, device=device) < 1 / 3
    gust = rng.child("gust").normal(1, device=device).double()[:, 0] * _WIND_STEP
    windy = rng.child("windy").uniform(1, device=device)[:, 0] < 0.5
    new = {
        "slope": (slope + torch.where(which, tilt, 0.0)).clamp(-STEEPEST, STEEPEST),
        "wind": (wind + torch.where(windy, gust, 0.0)).clamp(0.0, STRONGEST),
    }
    return Batch.of(parents.kind, {name: (value * 100).round() / 100 for name, value in new.items()})


def heights(envs: Batch) -> Tensor:
    """``[B, KNOTS]`` float64: metres above the wall's foot, at every knot."""
    slope = envs.leaves["slope"]
    rise = (slope[:, 1:] + slope[:, :-1]) / 2
    return torch.cat([torch.zeros_like(rise[:, :1]), rise.cumsum(dim=1)], dim=1)


def describe(envs: Batch) -> Tensor:
    """``[B, 4]`` float64: highest point above the start (m), steepest slope, mean change of slope a metre, wind (m/s2)."""
    slope, height = envs.leaves["slope"], heights(envs)
    highest = (height - height[:, 2:3]).amax(dim=1)
    roughness = (slope[:, 1:] - slope[:, :-1]).abs().cumsum(dim=1)[:, -1] / (KNOTS - 1)
    return torch.stack([highest, slope.amax(dim=1), roughness, envs.leaves["wind"]], dim=1)


def distance(a: Batch, b: Batch) -> Tensor:
    """``[A, B]`` float64: Euclidean, over slopes and wind; 0 only where both tracks are the same."""
    one, other = (torch.cat([e.leaves["slope"], e.leaves["wind"][:, None]], dim=1) for e in (a, b))
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def slope_at(slope: Tensor, x: Tensor) -> Tensor:
    """``[B, ...]`` slope of each row's track ``[B, KNOTS]`` at ``[B, ...]`` metres; level beyond wall and flag."""
    place = (x - WALL).reshape(len(x), -1)
    knot = place.floor().long().clamp(0, KNOTS - 2)
    left, right = slope.gather(1, knot), slope.gather(1, knot + 1)
    within = left + (right - left) * (place - knot)
    outside = (place < 0) | (place > FLAG - WALL)
    return torch.where(outside, 0.0, within).reshape(x.shape)
