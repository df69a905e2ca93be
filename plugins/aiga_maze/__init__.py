"""Mazes whose goal cannot be seen: a domain for agents that learn within a life (Miconi et al. 2018, 2019).

Importing it registers ``aiga/Maze-v0`` with Gymnasium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiga_maze.gym import register

if TYPE_CHECKING:
    from aiga_maze.plugin import Maze as Maze

__all__ = ["Maze"]

register()


def __getattr__(name: str) -> Any:
    # Who comes for the Gymnasium environment need not wait for torch before making one.
    if name != "Maze":
        raise AttributeError(f"module 'aiga_maze' has no attribute {name!r}")
    from aiga_maze.plugin import Maze

    return Maze
