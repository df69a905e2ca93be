"""What those earn in mazes who know nothing, and who know where the goal is: the ends of a scale for those who learn."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from aiga import Batch, Stream
from aiga_maze.grid import FAR
from aiga_maze.walks import ACTIONS, Ground, Walks


def random_reward(mazes: Batch, lives: int, rng: Stream) -> Tensor:
    """``[B]`` float64: mean reward, over so many lives in each of ``B`` mazes, of actions drawn evenly."""
    walks = _begun(mazes, lives, rng)
    longest = int(walks.steps.max())
    actions = rng.child("actions").rows(torch.arange(len(walks.maze))).integers(0, ACTIONS, longest, device=walks.maze.device)
    return _lived(walks, lives, lambda step: actions[:, step])


def oracle_reward(mazes: Batch, lives: int, rng: Stream) -> Tensor:
    """``[B]`` float64: mean reward, over so many lives in each of ``B`` mazes, of shortest walks to the goal from birth on."""
    walks = _begun(mazes, lives, rng)
    away = walks.to_goal()
    # Seen from a cell: how far the goal is after each move.
    ahead = away.gather(1, (walks.ground.moves.reshape(-1, walks.ground.cells * ACTIONS))[walks.maze])
    ahead = ahead.reshape(len(away), walks.ground.cells, ACTIONS).masked_fill(away[:, :, None] == FAR, FAR)
    best = ahead.argmin(dim=2)
    return _lived(walks, lives, lambda _: best.gather(1, walks.cell[:, None])[:, 0])


def _begun(mazes: Batch, lives: int, rng: Stream) -> Walks:
    count = len(mazes) * lives
    walks = Walks(Ground(mazes), torch.arange(len(mazes)).repeat_interleave(lives), int(mazes.leaves["steps"].max()))
    walks.begin(torch.arange(count), rng.child("lives").rows(torch.arange(count)).words())
    return walks


def _lived(walks: Walks, lives: int, policy: Callable[[int], Tensor]) -> Tensor:
    total = torch.zeros(len(walks.maze), dtype=torch.float64, device=walks.maze.device)
    for step in range(int(walks.steps.max())):
        reward = walks.act(step, policy(step))
        total += torch.where(walks.steps > step, reward, 0.0).double()
    return total.reshape(-1, lives).mean(dim=1)
