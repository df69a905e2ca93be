"""Named courses to evaluate on: flat ground, Gymnasium's own two, and the held-out set of DCD and ACCEL (Parker-Holder et al. 2022).

The held-out courses test one obstacle each, at POET's middle (``Roughness``) or greatest (``HighRoughness``) size. DCD's own stairs
have a random number of steps below the one stated, through a slip of NumPy's; these have all of them.
"""

from __future__ import annotations

import difflib
from typing import Any, Final

import torch
from aiga import Batch, InputError
from aiga.streams import combine, derive

from aiga_walker import genome

_COURSES: Final[dict[str, dict[str, Any]]] = {
    "flat": {},
    "BipedalWalker": {"roughness": 1.0, "terrain": "gymnasium"},
    # What Gymnasium's generator draws, for the description's sake.
    "Hardcore": {
        "roughness": 1.0,
        "gap": (2.0, 3.0),
        "stump": (1.0, 2.0),
        "stair": (1.0, 1.0),
        "stair_steps": 4,
        "terrain": "gymnasium-hardcore",
    },
    "Roughness": {"roughness": 5.0},
    "Stump": {"stump": (2.0, 2.0)},
    "PitGap": {"gap": (5.0, 5.0)},
    "Stairs": {"stair": (2.0, 2.0), "stair_steps": 5},
    "HighRoughness": {"roughness": 9.0},
    "HighStump": {"stump": (5.0, 5.0)},
    "WidePitGap": {"gap": (10.0, 10.0)},
    "HighStairs": {"stair": (5.0, 5.0), "stair_steps": 9},
}

NAMES: Final = tuple(_COURSES)


def named(name: str, count: int = 1) -> Batch:
    """A named course: ``count`` rows that differ in the terrain alone, the same ones at every call.

    Raises:
        InputError: if no course has that name.
    """
    if name not in _COURSES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise InputError(f"no walker course is named {name!r}; there are {', '.join(NAMES)}.{hint}")
    # Gymnasium's generator takes no negative seed.
    seeds = combine(derive("walker", "named", name), torch.arange(count)) & (2**62 - 1)
    return genome.courses(seeds, **_COURSES[name])
