"""Named courses to evaluate on: flat, Gymnasium's own two, and the held-out set of DCD and ACCEL (Parker-Holder et al. 2022).

The held-out courses test one obstacle each, at POET's middle (``Roughness``) or greatest (``HighRoughness``) size. DCD's own
stairs have fewer steps than stated, drawn at random, because NumPy takes a range of one number for an upper bound; these have
all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from torch import Tensor

from aiga import Batch, InputError
from aiga.streams import combine, derive
from aiga_walker import genome


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"the lower end {ends[0]} is above the upper end {ends[1]}")
    return ends


# Far beyond what can be walked, and below what single precision and Box2D bear.
_Length = Annotated[float, Field(ge=0.0, le=1000.0, allow_inf_nan=False)]
_Range = Annotated[tuple[_Length, _Length], AfterValidator(_ordered)]


class Course(BaseModel):
    """A course by its genome's values, see :mod:`aiga_walker.genome`; without ``seed`` the terrain is left open."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roughness: _Length = 0.0
    gap: _Range = (0.0, 0.0)
    stump: _Range = (0.0, 0.0)
    stair: _Range = (0.0, 0.0)
    stair_steps: int = Field(default=0, ge=0, le=200, validate_default=True)
    seed: int | None = Field(default=None, ge=0, lt=2**62)
    terrain: Literal["poet", "gymnasium", "gymnasium-hardcore", "cppn"] = "poet"

    @field_validator("stair_steps")
    @classmethod
    def _steps(cls, steps: int, info: ValidationInfo) -> int:
        if not steps and info.data.get("stair", (0.0, 0.0))[1] > 0.0:
            raise ValueError("a course with stairs needs steps in them; write stair_steps of 1 or more")
        return steps

    def rows(self, seeds: Tensor) -> Batch:
        """The course with each terrain seed of ``[B]`` int64."""
        return genome.courses(seeds, self.roughness, self.gap, self.stump, self.stair, self.stair_steps, self.terrain)


_COURSES: Final = {
    "flat": Course(),
    "BipedalWalker": Course(roughness=1.0, terrain="gymnasium"),
    # Sizes as Gymnasium's generator draws them, for the description's sake.
    "Hardcore": Course(
        roughness=1.0, gap=(2.0, 3.0), stump=(1.0, 2.0), stair=(1.0, 1.0), stair_steps=4, terrain="gymnasium-hardcore"
    ),
    "Roughness": Course(roughness=5.0),
    "Stump": Course(stump=(2.0, 2.0)),
    "PitGap": Course(gap=(5.0, 5.0)),
    "Stairs": Course(stair=(2.0, 2.0), stair_steps=5),
    "HighRoughness": Course(roughness=9.0),
    "HighStump": Course(stump=(5.0, 5.0)),
    "WidePitGap": Course(gap=(10.0, 10.0)),
    "HighStairs": Course(stair=(5.0, 5.0), stair_steps=9),
}

NAMES: Final = tuple(_COURSES)
_RANGE: Final = "write the least and the greatest, as in [0.4, 0.8]"


def named(name: str, count: int = 1) -> Batch:
    """A named course: ``count`` rows that differ in the terrain alone, the same ones at every call.

    Raises:
        InputError: if no course has that name.
    """
    # Gymnasium's generator takes no negative seed.
    seeds = combine(derive("walker", "named", name), torch.arange(count)) & (2**62 - 1)
    return course_of(name).rows(seeds)


def course_of(course: str | Mapping[str, Any]) -> Course:
    """A course by name, or by its genome's values.

    Raises:
        InputError: if no course has that name, or for each value that is not one of a genome.
    """
    if isinstance(course, str):
        if course not in _COURSES:
            raise InputError(f"no walker course is named {course!r}; there are {', '.join(NAMES)}.{_hint(course, NAMES)}")
        return _COURSES[course]
    if not isinstance(course, Mapping):
        raise InputError(f"walker course: found {course!r}; write a name, or a dict of any of {', '.join(Course.model_fields)}")
    try:
        return Course.model_validate(dict(course))
    except ValidationError as error:
        fields = tuple(Course.model_fields)
        problems = []
        for problem in error.errors():
            key = str(problem["loc"][0]) if problem["loc"] else ""
            hint = _hint(key, fields) if problem["type"] == "extra_forbidden" else ""
            said = (
                _RANGE
                if problem["type"] in ("tuple_type", "missing", "too_long")
                else problem["msg"].removeprefix("Value error, ")
            )
            problems.append(f"walker course: {key}: {said}; found {problem['input']!r}.{hint}")
        raise InputError(*problems) from error


def _hint(name: str, names: tuple[str, ...]) -> str:
    begun = [known for known in names if name.startswith(known)]
    close = begun or difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
