"""What a reset of a Gymnasium walker draws from its environment's random numbers: a course and a start push."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import torch

from aiga_walker.courses import Course, course_of
from aiga_walker.gym_terrain import draw
from aiga_walker.terrain import PUSH, Terrain, terrains

SEEDS: Final = 2**62  # terrain seeds are drawn below


class Start(NamedTuple):
    """The ground in m, the push in N, and what a reset tells in ``info``."""

    terrain: Terrain
    push: float
    info: dict[str, Any]


class Courses(Protocol):
    """Where the courses of ``N`` environments come from."""

    def choose(self, rows: Sequence[int], options: Mapping[str, Any]) -> None:
        """Takes what the options of a reset say of the courses of ``rows``."""
        ...

    def draw(self, rows: Sequence[int], rngs: Sequence[np.random.Generator]) -> list[Start]:
        """A start of each of ``rows``, from the stream of each."""
        ...


class GymnasiumCourses:
    """The courses of ``BipedalWalker-v3``, from the stream that Gymnasium draws them from; options say nothing of them.

    Args:
        hardcore: with stumps, stairs and pits.

    Raises:
        ValueError: if ``hardcore`` is no bool.
    """

    def __init__(self, hardcore: bool) -> None:
        if not isinstance(hardcore, (bool, np.bool_)):
            raise ValueError(f"hardcore {hardcore!r}: must be True or False")
        self.hardcore = bool(hardcore)

    def choose(self, rows: Sequence[int], options: Mapping[str, Any]) -> None:
        """Nothing."""

    def draw(self, rows: Sequence[int], rngs: Sequence[np.random.Generator]) -> list[Start]:
        """Ground, clouds, push, as a reset of Gymnasium's walker."""
        return [Start(*draw(rng, self.hardcore), {}) for rng in rngs]


class OwnCourses:
    """Courses by name or genome: one a row, that ``options["course"]`` of a reset changes.

    Args:
        courses: of each row.

    Raises:
        aiga.InputError: for an unknown name, or a genome that is not one.
    """

    def __init__(self, courses: Sequence[str | Mapping[str, Any]]) -> None:
        self.courses: list[Course] = [course_of(course) for course in courses]

    def choose(self, rows: Sequence[int], options: Mapping[str, Any]) -> None:
        """Takes ``options["course"]`` for all of ``rows``, if it is there."""
        if "course" in options:
            course = course_of(options["course"])
            for row in rows:
                self.courses[row] = course

    def draw(self, rows: Sequence[int], rngs: Sequence[np.random.Generator]) -> list[Start]:
        """A terrain seed, which a course may have fixed, then the push."""
        same: dict[Course, list[int]] = {}
        seeds, pushes = [], []
        for place, (row, rng) in enumerate(zip(rows, rngs, strict=True)):
            course = self.courses[row]
            drawn = int(rng.integers(SEEDS))
            seeds.append(drawn if course.seed is None else course.seed)
            pushes.append(rng.uniform(-PUSH, PUSH))
            same.setdefault(course, []).append(place)
        ground: dict[int, Terrain] = {}
        for course, places in same.items():
            made = terrains(course.rows(torch.tensor([seeds[place] for place in places])))
            ground.update(zip(places, made, strict=True))
        return [
            Start(ground[place], push, {"terrain_seed": seed})
            for place, (push, seed) in enumerate(zip(pushes, seeds, strict=True))
        ]
