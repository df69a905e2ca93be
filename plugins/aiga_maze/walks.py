"""How ``P`` agents walk mazes side by side: moves, the hidden goal, what is seen. All chance hangs on a life's seed."""

from __future__ import annotations

import copy
from typing import Final

import torch
from torch import Tensor

from aiga import Batch, Stream
from aiga.crossing import onto
from aiga.streams import derive
from aiga_maze import genome
from aiga_maze.grid import FAR, MOVES, cells, count, distances, nth, shifted

ACTIONS: Final = len(MOVES)
SIGHT: Final = 9  # cells around, in reading order
INPUTS: Final = SIGHT + 1 + ACTIONS + 2
REWARD: Final = 10.0

_CHANCE: Final = Stream(derive("maze", "life", 1))


class Ground:
    """What ``U`` mazes are to those who walk them, each cell of each maze at ``maze * cells + cell``.

    Attributes:
        cells: of a canvas.
        moves: ``[U * cells, 4]`` int64, the cell where each move leads: the same one at a wall.
        sight: ``[U * cells, 9]`` float32, 1 where there is a wall in the square around.
        free: ``[U, cells]`` int64, the free cells of each maze in reading order, before others.
        room: ``[U]`` int64, how many these are.
        start: ``[U]`` int64.
        goals: ``[U, M, M]`` bool, where goals may be.
        walk: ``[U, M, M]`` int16, steps from the start.
        steps: ``[U]`` int64, length of a life.
        longest: no two cells of a maze are further apart.
    """

    def __init__(self, envs: Batch) -> None:
        leaves = envs.leaves
        self.grid: Tensor = leaves["free"]
        mazes, canvas, _ = self.grid.shape
        self.cells, device = canvas * canvas, self.grid.device
        flat, line = self.grid.flatten(1), torch.arange(canvas * canvas, device=device)
        led = [line + row * canvas + column for row, column in MOVES]
        open_ = [shifted(self.grid, *move).flatten(1) for move in MOVES]
        self.moves = torch.stack([torch.where(o, to, line) for o, to in zip(open_, led, strict=True)], dim=2).reshape(
            -1, ACTIONS
        )
        around = [shifted(self.grid, row, column).flatten(1) for row in (-1, 0, 1) for column in (-1, 0, 1)]
        self.sight = (~torch.stack(around, dim=2)).float().reshape(mazes * self.cells, SIGHT)
        self.free = torch.argsort(~flat, dim=1, stable=True)
        self.room = count(self.grid)
        self.goals, self.walk = genome.goals(envs)
        middle = leaves["size"] // 2
        self.start = middle * canvas + middle
        self.steps = leaves["steps"]
        # From any cell to any other one can walk by way of the start.
        self.longest = 2 * int(torch.where(self.walk < FAR, self.walk, 0).max())

    def to(self, device: torch.device) -> Ground:
        """The same on this device."""
        there = copy.copy(self)
        vars(there).update({name: onto(part, device) for name, part in vars(self).items() if isinstance(part, Tensor)})
        return there


class Walks:
    """``P`` walkers, begun in any groups.

    Args:
        ground: the mazes.
        maze: ``[P]`` int64, which of them each walks.
        longest: steps of the longest life.
        wall_penalty: what a move into a wall costs.

    Attributes:
        cell, goal: ``[P]`` int64, where each is, and where its goal is.
        reached: ``[P]`` bool: whether the latest move reached the goal.
    """

    def __init__(self, ground: Ground, maze: Tensor, longest: int, wall_penalty: float = 0.0) -> None:
        self.ground, self.maze, self._penalty = ground, onto(maze, ground.moves.device), wall_penalty
        self._base = self.maze * ground.cells
        self.steps = ground.steps[self.maze]
        self.cell, self.goal = torch.zeros_like(self.maze), torch.zeros_like(self.maze)
        self.reached = torch.zeros_like(self.maze, dtype=torch.bool)
        self._elsewhere = torch.zeros(len(maze), longest, dtype=torch.int64, device=self.maze.device)
        self._all = torch.arange(len(maze), device=self.maze.device)
        self._time = self.steps.float()
        self._bias = torch.ones(len(maze), 1, device=self.maze.device)

    def begin(self, rows: Tensor, seeds: Tensor) -> None:
        """Starts lives of ``rows`` ``[R]``, whose goals and landing places ``seeds`` ``[R]`` fix."""
        ground, device = self.ground, self.maze.device
        rows, maze = onto(rows, device), self.maze[onto(rows, device)]
        chance, goals = _CHANCE.rows(seeds), ground.goals[maze]
        rank = (chance.child("goal").words(1, device=device) * count(goals)[:, None]) >> 32
        goal = nth(goals, rank)
        # Landing places are the free cells but the goal: ranks from the goal's on are one further.
        place = (ground.grid[maze].flatten(1).cumsum(dim=1).gather(1, goal) - 1).clamp(min=0)
        landing = chance.child("landing").words(self._elsewhere.shape[1], device=device)
        landing = (landing * (ground.room[maze] - 1)[:, None]) >> 32
        self._elsewhere[rows] = ground.free[maze].gather(1, landing + (landing >= place))
        self.goal[rows], self.cell[rows], self.reached[rows] = goal[:, 0], ground.start[maze], False

    def act(self, step: Tensor | int, action: Tensor) -> Tensor:
        """``[P]`` float32 rewards of moves ``[P]``, each at its own step ``[P]`` of its life, or all at the same one."""
        to = self.ground.moves.view(-1)[(self._base + self.cell) * ACTIONS + action]
        self.reached = to == self.goal
        landing = self._elsewhere[:, step] if isinstance(step, int) else self._elsewhere[self._all, step]
        reward = self.reached * REWARD
        if self._penalty:
            reward = reward - (to == self.cell) * self._penalty
        self.cell = torch.where(self.reached, landing, to)
        return reward

    def observe(self, step: Tensor | int, reward: Tensor, previous: Tensor) -> Tensor:
        """``[P, 16]`` float32: walls around, reward in units of the goal's, previous action, 1, how much of life is over."""
        time = step / self._time
        sight = self.ground.sight[self._base + self.cell]
        return torch.cat([sight, (reward / REWARD)[:, None], previous, self._bias, time[:, None]], dim=1)

    def to_goal(self) -> Tensor:
        """``[P, cells]`` int16: steps from every cell to each life's goal."""
        grid = self.ground.grid[self.maze]
        canvas = grid.shape[1]
        return distances(grid, cells(self.goal // canvas, self.goal % canvas, canvas), self.ground.longest).flatten(1)


def par(walks: Walks) -> Tensor:
    """``[P]`` float64: what one who knows the goal would earn, if every walk to it from a landing place were of mean length.

    Of lives just begun. The first walk is from the start; the mean is over all free cells but the goal.
    """
    away = walks.to_goal().to(torch.int64)
    first = away.gather(1, walks.ground.start[walks.maze][:, None])[:, 0]
    landing = torch.where(away < FAR, away, 0).sum(dim=1).double() / (walks.ground.room[walks.maze] - 1).double()
    return REWARD * (1.0 + (walks.steps - first).clamp(min=0).double() / landing)
