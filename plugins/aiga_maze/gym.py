"""Registers the maze with Gymnasium, importing nothing else.

Gymnasium 1 looks at no entry points: a package registers its environments when it is imported. So either of::

    import aiga_maze
    gymnasium.make_vec("aiga/Maze-v0", num_envs=1024, maze="L11", device="cuda")

    gymnasium.make("aiga_maze:aiga/Maze-v0", maze={"size": 9, "steps": 100})
"""

from __future__ import annotations

from typing import Final

ID: Final = "aiga/Maze-v0"


def register() -> None:
    """Registers ``aiga/Maze-v0``, once."""
    from gymnasium.envs.registration import register, registry

    if ID not in registry:
        register(
            id=ID,
            entry_point="aiga_maze.gym_single:MazeEnv",
            vector_entry_point="aiga_maze.gym_vector:MazeVectorEnv",
        )
