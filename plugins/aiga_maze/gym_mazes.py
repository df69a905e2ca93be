"""``N`` mazes as Gymnasium's environments have them, on any device, with neither time limit nor autoreset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import gymnasium
import numpy as np
import torch
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray
from torch import Tensor

from aiga import Population
from aiga.streams import combine
from aiga_maze.mazes import Maze, maze_of
from aiga_maze.render import plans
from aiga_maze.walks import ACTIONS, INPUTS, REWARD, SIGHT, Ground, Walks

METADATA: Final[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}
Which = str | Mapping[str, Any]


def observation_space(wall_penalty: float) -> gymnasium.Space[NDArray[np.float32]]:
    """Nine cells around, in reading order, 1 for a wall; the last reward over 10; the last action; 1; how much is over."""
    low = np.zeros(INPUTS, np.float32)
    low[SIGHT] = -wall_penalty / REWARD
    return gymnasium.spaces.Box(low, np.ones(INPUTS, np.float32))


def action_space() -> gymnasium.spaces.Discrete:
    """Up, down, left, right."""
    return gymnasium.spaces.Discrete(ACTIONS)


def penalty_of(wall_penalty: Any) -> float:
    """What a move into a wall costs.

    Raises:
        ValueError: for a penalty that is none.
    """
    if not (isinstance(wall_penalty, (int, float)) and 0.0 <= wall_penalty <= REWARD):
        raise ValueError(f"wall_penalty {wall_penalty!r}: must be a number from 0 to {REWARD:g}")
    return wall_penalty


class Mazes:
    """``N`` walkers in mazes, begun and stepped in any groups.

    An episode's chance hangs on its environment's seed and on how many episodes there were since that was given: on these two
    numbers alone, so that a thousand episodes begin as fast as one.

    Args:
        mazes: of each environment, a name of :data:`aiga_maze.mazes.NAMES` or a genome.
        wall_penalty: what a move into a wall costs.
        device: where to compute.

    Attributes:
        mazes: of each environment.
        steps: ``[N]`` int64, length of an episode.
        elapsed: ``[N]`` int64, steps of the present one.

    Raises:
        InputError: for a maze that is none.
    """

    def __init__(self, mazes: Sequence[Which], wall_penalty: float, device: torch.device) -> None:
        found = {repr(maze): maze_of(maze) for maze in mazes}
        self.mazes = [found[repr(maze)] for maze in mazes]
        self._device, self._penalty = device, wall_penalty
        number = {name: place for place, name in enumerate(found)}
        self._which = torch.tensor([number[repr(maze)] for maze in mazes])
        self._kinds: list[Maze] = list(found.values())
        canvas = max(maze.side for maze in self._kinds)
        rows, _ = Population.join(*(Population((maze.row(canvas),)) for maze in self._kinds))
        self._batch = rows.batches[0]
        ground = Ground(self._batch.to(device))
        self._walks = Walks(ground, self._which, int(self._batch.leaves["steps"].max()), wall_penalty)
        count = len(mazes)
        self.steps, self.elapsed = self._walks.steps, torch.zeros(count, dtype=torch.int64, device=device)
        self._rewards = torch.zeros(count, device=device)
        self._previous = torch.zeros(count, ACTIONS, device=device)
        self._begun = torch.zeros(count, dtype=torch.bool)
        self._seeds, self._episodes = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
        self._one_hot = torch.eye(ACTIONS, device=device)

    def seed(self, rows: Sequence[int], seeds: Sequence[int]) -> None:
        """Gives environments new seeds."""
        self._seeds[list(rows)] = torch.tensor([seed & (2**63 - 1) for seed in seeds], dtype=torch.int64)
        self._episodes[list(rows)] = 0

    def take_seeds(self, other: Mazes) -> None:
        """Goes on where another group of as many left off."""
        self._seeds, self._episodes = other._seeds.clone(), other._episodes.clone()

    def begin(self, rows: Tensor) -> dict[str, Any]:
        """New episodes in ``rows`` ``[R]``; infos as of a vector environment: where the ``goal`` is, row and column."""
        self._walks.begin(rows, combine(self._seeds[rows], self._episodes[rows]))
        self._episodes[rows] += 1
        self._begun[rows] = True
        on = rows.to(self._device)
        self.elapsed[on], self._rewards[on], self._previous[on] = 0, 0.0, 0.0
        canvas, some = self._batch.leaves["free"].shape[1], np.zeros(len(self._begun), np.bool_)
        some[rows.numpy()] = True
        cells = self._walks.goal.cpu().numpy()
        goal = np.stack(np.divmod(cells, canvas), axis=1)
        return {"goal": np.where(some[:, None], goal, 0), "_goal": some}

    def step(self, rows: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """One step of ``rows`` ``[N]`` bool with ``[N]`` actions: ``[N]`` rewards, 0 elsewhere, and whose time is up.

        Raises:
            ResetNeeded: if an episode was never begun.
        """
        self.ready()
        kept = self._walks.cell
        actions = torch.where(rows, actions, 0)
        reward = torch.where(rows, self._walks.act(self.elapsed.clamp(max=self.steps - 1), actions), 0.0)
        self._walks.cell = torch.where(rows, self._walks.cell, kept)
        self.elapsed = self.elapsed + rows
        self._rewards = torch.where(rows, reward, self._rewards)
        self._previous = torch.where(rows[:, None], self._one_hot[actions], self._previous)
        return reward, rows & (self.elapsed >= self.steps)

    def seen(self) -> Tensor:
        """``[N, 16]`` float32 observations, a new tensor."""
        return self._walks.observe(self.elapsed, self._rewards, self._previous)

    def actions_of(self, actions: Any) -> Tensor:
        """Actions as ``[N]`` int64 on the device.

        Args:
            actions: an array, a tensor on any device, or a sequence.

        Raises:
            ValueError: if they are not ``N`` of the four.
        """
        count = len(self._begun)
        try:
            given = actions if isinstance(actions, Tensor) else torch.from_numpy(np.asarray(actions))
        except (TypeError, ValueError) as error:
            raise ValueError(f"actions of type {type(actions).__name__}: must be {count} integers; {error}") from error
        if given.shape != (count,) or given.is_floating_point() or given.is_complex():
            kind = str(given.dtype).removeprefix("torch.")
            raise ValueError(f"actions of shape {tuple(given.shape)} and type {kind}: must be {count} integers, one each")
        moves = given.to(self._device, torch.int64)
        wrong = (moves < 0) | (moves >= ACTIONS)
        if bool(wrong.any()):
            rows = torch.nonzero(wrong).flatten().tolist()
            raise ValueError(
                f"actions of environments {rows[:10]} are {moves[wrong].tolist()[:10]}: none was stepped; "
                f"give integers from 0 to {ACTIONS - 1}"
            )
        return moves

    def ready(self) -> None:
        """Raises ``ResetNeeded`` where an episode was never begun."""
        if not bool(self._begun.all()):
            raise ResetNeeded("call reset() first: not every environment has begun an episode")

    def frames(self) -> tuple[NDArray[np.uint8], ...]:
        """``[240, 240, 3]`` of each environment."""
        self.ready()
        canvas = self._batch.leaves["free"].shape[1]
        drawn = plans(self._batch, "")
        cells, goals = ([divmod(cell, canvas) for cell in part.tolist()] for part in (self._walks.cell, self._walks.goal))
        which = self._which.tolist()
        return tuple(drawn[maze].frame(cell, goal, []) for maze, cell, goal in zip(which, cells, goals, strict=True))
