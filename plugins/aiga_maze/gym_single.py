"""A single maze as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.error import InvalidAction
from numpy.typing import NDArray

from aiga.vector import rendered
from aiga_maze.gym_mazes import METADATA, Mazes, Which, action_space, observation_space, penalty_of
from aiga_maze.mazes import Maze


class MazeEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """A maze whose goal cannot be seen; reaching it pays 10 and puts the agent down elsewhere.

    An episode lasts as long as the maze's genome says and then terminates: the agent perceives how much of it is over. A reset
    draws another goal; ``info["goal"]`` is its row and column. ``reset(options={"maze": ...})`` changes the maze from then on.

    Args:
        maze: a name of :data:`aiga_maze.mazes.NAMES`, or a genome: any of ``walls``, ``size``, ``goal``, ``goals``, ``steps``.
        wall_penalty: what a move into a wall costs.
        render_mode: ``rgb_array`` or None.

    Raises:
        ValueError: for an argument that is none of these.
        aiga.InputError: for an unknown name, or a genome that is not one.
    """

    metadata = METADATA

    def __init__(self, maze: Which = "L7", wall_penalty: float = 0.0, render_mode: str | None = None) -> None:
        self.render_mode, self._penalty = rendered(render_mode, METADATA), penalty_of(wall_penalty)
        self.observation_space, self.action_space = observation_space(wall_penalty), action_space()
        self._row = torch.zeros(1, dtype=torch.int64)
        self._mazes = Mazes([maze], wall_penalty, torch.device("cpu"))
        self._seeded = False

    @property
    def maze(self) -> Maze:
        """The maze of the present episode."""
        return self._mazes.mazes[0]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Starts an episode with a goal drawn anew: ``[16]`` float32, and ``info``."""
        super().reset(seed=seed)
        if options and "maze" in options:
            changed = Mazes([options["maze"]], self._penalty, torch.device("cpu"))
            changed.take_seeds(self._mazes)
            self._mazes = changed
        if seed is not None or not self._seeded:
            self._mazes.seed([0], [self.np_random_seed])
            self._seeded = True
        info = self._mazes.begin(self._row)
        return self._mazes.seen()[0].numpy(), {"goal": info["goal"][0]}

    def step(self, action: np.int64) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One move: up, down, left or right.

        Raises:
            InvalidAction: if ``action`` is none of 0 to 3.
            gymnasium.error.ResetNeeded: before the first reset.
        """
        if not self.action_space.contains(action):
            raise InvalidAction(f"action {action!r}: must be an integer from 0 to 3")
        reward, over = self._mazes.step(torch.ones(1, dtype=torch.bool), torch.tensor([int(action)]))
        return self._mazes.seen()[0].numpy(), float(reward[0]), bool(over[0]), False, {}

    def render(self) -> NDArray[np.uint8] | None:
        """``[240, 240, 3]``: the maze from above, in ``rgb_array`` mode."""
        return self._mazes.frames()[0] if self.render_mode else None
