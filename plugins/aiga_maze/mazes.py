"""Named mazes: the pillared ones of the study that began it (Miconi et al. 2018), and some of other shapes to test on.

``L7``, ``L11`` and ``L13`` have a pillar at every even row and column. ``L7-seen`` and ``L7-unseen`` are ``L7`` with goals in
three of four cells and in the fourth: who learns in the first has never been paid at a goal of the second.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import torch
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from aiga import Batch, InputError
from aiga_maze import genome
from aiga_maze.grid import connected

FREE, WALL = ".", "#"
LARGEST: Final = 51  # cells along a side: walks over it still fit what they are kept in

_SHAPES: Final = {
    "Open": """
        #############
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #...........#
        #############""",
    "FourRooms": """
        #############
        #.....#.....#
        #.....#.....#
        #...........#
        #.....#.....#
        #.....#.....#
        ##.##...##.##
        #.....#.....#
        #.....#.....#
        #...........#
        #.....#.....#
        #.....#.....#
        #############""",
    "Spiral": """
        #############
        #...........#
        #.#########.#
        #.#.......#.#
        #.#.#####.#.#
        #.#.#...#.#.#
        #.#.#.....#.#
        #.#.#...###.#
        #.#.#####.###
        #.#.........#
        #.#########.#
        #...........#
        #############""",
    "Comb": """
        #############
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #...........#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #.#.#.#.#.#.#
        #############""",
    "Rings": """
        #############
        #...........#
        #.####.####.#
        #.#.......#.#
        #.#.#####.#.#
        #.#.#...#.#.#
        #.......#...#
        #.#.#...#.#.#
        #.#.##.##.#.#
        #.#.......#.#
        #.####.####.#
        #...........#
        #############""",
    "Zigzag": """
        #############
        #############
        #...........#
        ###########.#
        #...........#
        #.###########
        #...........#
        ###########.#
        #...........#
        #.###########
        #...........#
        #############
        #############""",
}


class Maze(BaseModel):
    """A maze by its genome's values, see :mod:`aiga_maze.genome`.

    Attributes:
        walls: rows of ``#`` and ``.``, as many as each has characters; left out, pillars.
        size: cells along a side, where there are pillars.
        goal: least and greatest walk from the start to the goal; left out, any.
        goals: which cells may be goals.
        steps: length of a life.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    walls: Annotated[tuple[str, ...], AfterValidator(lambda rows: _checked(rows))] | None = None
    size: int = Field(default=7, ge=genome.SMALLEST, le=LARGEST)
    goal: tuple[Annotated[int, Field(ge=1)], int] = genome.ANYWHERE
    goals: Literal["all", "seen", "unseen"] = "all"
    steps: int = Field(default=80, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Maze:
        if self.goal[0] > self.goal[1]:
            raise ValueError(f"goal: the least walk {self.goal[0]} is above the greatest {self.goal[1]}")
        if self.walls is None and self.size % 2 == 0:
            raise ValueError(f"size: pillars need an odd size; write {self.size + 1}")
        if self.walls is not None and "size" in self.model_fields_set and self.size != len(self.walls):
            raise ValueError(f"size: {self.size}, but there are {len(self.walls)} rows of walls; leave it out")
        return self

    @property
    def side(self) -> int:
        """Cells along a side."""
        return self.size if self.walls is None else len(self.walls)

    def row(self, canvas: int) -> Batch:
        """The maze as one row on a canvas at least as large."""
        if self.walls is None:
            free = genome.pillars(self.size, canvas)
        else:
            free = torch.zeros(canvas, canvas, dtype=torch.bool)
            free[: self.side, : self.side] = _free(self.walls)
        split = {"all": genome.ALL, "seen": genome.SEEN, "unseen": genome.UNSEEN}[self.goals]
        return genome.mazes(free, self.side, self.goal, split, self.steps)


def _free(rows: tuple[str, ...]) -> torch.Tensor:
    return torch.tensor([[cell == FREE for cell in row] for row in rows])


def _checked(rows: tuple[str, ...]) -> tuple[str, ...]:
    size = len(rows)
    if not genome.SMALLEST <= size <= LARGEST or size % 2 == 0 or any(len(row) != size for row in rows):
        raise ValueError(f"must be a square of odd size, {genome.SMALLEST} to {LARGEST}, found {size} rows")
    if set("".join(rows)) - {FREE, WALL}:
        raise ValueError(f"rows hold '{WALL}' for a wall and '{FREE}' for a free cell, and nothing else")
    free, middle = _free(rows), size // 2
    if bool(free[0].any() | free[-1].any() | free[:, 0].any() | free[:, -1].any()):
        raise ValueError("the outermost cells must all be walls")
    if not bool(free[middle, middle]) or int(free.sum()) < 2 or not bool(connected(free[None])):
        raise ValueError(f"every free cell, and there must be two, must be connected with the start at row {middle} of {size}")
    return rows


_MAZES: Final = {
    "L7": Maze(size=7, steps=80),
    "L7-seen": Maze(size=7, steps=80, goals="seen"),
    "L7-unseen": Maze(size=7, steps=80, goals="unseen"),
    "L11": Maze(size=11, steps=200),
    "L13": Maze(size=13, steps=200),
    **{name: Maze(walls=tuple(shape.split()), steps=200) for name, shape in _SHAPES.items()},
}

NAMES: Final = tuple(_MAZES)


def maze_of(maze: str | Mapping[str, Any]) -> Maze:
    """A maze by name, or by its genome's values.

    Raises:
        InputError: if no maze has that name, or for each value that is not one of a genome.
    """
    if isinstance(maze, str):
        if maze not in _MAZES:
            raise InputError(f"no maze is named {maze!r}; there are {', '.join(NAMES)}.{_hint(maze, NAMES)}")
        return _MAZES[maze]
    if not isinstance(maze, Mapping):
        raise InputError(f"maze: found {maze!r}; write a name, or a dict of any of {', '.join(Maze.model_fields)}")
    try:
        return Maze.model_validate(dict(maze))
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            key = str(problem["loc"][0]) if problem["loc"] else ""
            hint = _hint(key, tuple(Maze.model_fields)) if problem["type"] == "extra_forbidden" else ""
            where = f"{key}: " if key else ""
            problems.append(f"maze: {where}{problem['msg']}; found {problem['input']!r}.{hint}")
        raise InputError(*problems) from error


def _hint(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
