"""The plugin ``maze``: registers the domain and draws mazes and lives in them."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

import aiga


class MazeOptions(aiga.Options):
    """Options of mazes.

    Attributes:
        start: the maze to start from, by name: ``L7``, ``L11``, ``L13``, or one of other shape.
        max_size: cells along a side of the largest maze, outer walls included; odd.
        max_steps: the longest life.
        wall_penalty: what a move into a wall costs; a goal pays 10.
    """

    start: str = "L7"
    max_size: int = Field(default=15, ge=5, le=51)
    max_steps: int = Field(default=250, ge=20)
    wall_penalty: float = Field(default=0.0, ge=0.0)

    @field_validator("max_size")
    @classmethod
    def _odd(cls, max_size: int) -> int:
        if max_size % 2 == 0:
            raise ValueError(f"mazes have an odd number of cells along a side, found {max_size}; write {max_size + 1}")
        return max_size


class Maze(aiga.Plugin):
    """Mazes with a goal that cannot be seen, where agents must learn within a life."""

    name: ClassVar[str] = "maze"
    Options: ClassVar[type[MazeOptions]] = MazeOptions
    options: MazeOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``maze``."""
        from aiga_maze.domain import MazeDomain

        options = self.options
        try:
            domain = MazeDomain(options.start, options.max_size, options.max_steps, options.wall_penalty)
        except aiga.InputError as error:
            raise aiga.InputError(*(f"[plugins.maze.options] start: {problem}" for problem in error.problems)) from error
        registry.domain("maze", domain)

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Mazes as seen from above, a life as its path or an animation; see :func:`aiga_maze.render.render`."""
        from aiga_maze.render import render

        return render(subject)
